"""As watch.mjs."""
import os
import time

URL, KEY, FLAG, USER = (os.environ[name] for name in ("SLUICE_URL", "SLUICE_KEY", "FLAG", "USER_ID"))


def watch(read):
    last = None
    while True:
        now = read()
        if now is not None and now != last:
            print(str(now).lower(), flush=True)
            last = now
        time.sleep(0.05)
