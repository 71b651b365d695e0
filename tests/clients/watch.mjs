// What every client here does: says on stdout what its flag is, whenever that changes, until it is ended.
export const { SLUICE_URL: url, SLUICE_KEY: key, FLAG: flag, USER_ID: user } = process.env;

export function watch(read) {
    let last;
    setInterval(async () => {
        const now = await read();
        if (now !== undefined && now !== last)
            console.log(last = now);
    }, 50);
}
