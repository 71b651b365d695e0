"""What verifying the record costs: ./scripts/bench audit

Records per second that `sluice audit verify` reads offline, by its own processor time, and what signing and verifying one
checkpoint takes (sluice-notes).  Prints a table and, last, one line of JSON.
"""
import hashlib
import json
import pathlib
import resource
import subprocess
import tempfile

BIN = pathlib.Path(__file__).resolve().parents[2] / "build/bin"
RECORDS = 300_000


def write_chain(file):
    """Records as PostgreSQL writes them, of the length that a deployment's have."""
    prev = "0" * 64
    with open(file, "w") as out:
        for seq in range(1, RECORDS + 1):
            line = (f'{{"seq" : {seq}, "prev" : "{prev}", "chain" : "inopnc/production", "at" : "2026-11-25T01:20:30.123Z", '
                    '"actor" : {"kind": "service", "issuer": "sluice", "subject": "sluiced"}, "from" : "worker", '
                    '"action" : "step.completed", "subject" : "01a20ffd-4ed8-734d-aa7a-4b70b3557243", '
                    '"message" : "Wait until all traffic reaches it: 3 endpoints of green", '
                    '"data" : {"step": "await-endpoints", "detail": "3 endpoints of green"}}')
            prev = hashlib.sha256(line.encode()).hexdigest()
            out.write(line + "\n")


def main():
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "chain.ndjson"
        write_chain(file)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([BIN / "sluice", "audit", "verify", file], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    notes = json.loads(subprocess.run([BIN / "sluice-notes"], check=True, capture_output=True).stdout)
    print(f"| records verified offline, one core | {RECORDS / seconds:,.0f}/s, {seconds / RECORDS * 1e6:.1f} µs |")
    for row in notes:
        print(f"| a checkpoint of {row['chains']:,} chains, {row['bytes'] / 1000:.1f} kB: signed, verified |"
              f" {row['sign_us']:.0f} µs, {row['verify_us']:.0f} µs |")
    print(json.dumps({"records_per_s": round(RECORDS / seconds), "notes": notes}))


main()
