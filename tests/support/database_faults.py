"""Faults of PostgreSQL inside chosen transactions of a stack, one at a time, by triggers:

    faults = DatabaseFaults(stack)
    fault = faults.arm("inopnc", "release.create", "lost-after")  # the transaction that appends that record of that app
    ...
    faults.met(fault)                                             # how often it happened

An event is a record's action, `intent PURPOSE` or `result PURPOSE` (the journal's rows), `lease.claim`, `lease.renew` or
`lease.release`.  lost-after: the transaction commits, and the connection ends before anybody hears of it.  It is made to
wait for a standby that there is not, which comes after its commit; there its server process is ended.
"""

import itertools
import subprocess

from tests.support.pg import binary

CODES = {"40001": "40001", "40P01": "40P01", "statement-timeout": "57014", "read-only": "25006", "disk-full": "53100"}

INSTALL = """
CREATE TABLE fault (id int PRIMARY KEY, app text NOT NULL, event text NOT NULL, how text NOT NULL, shots bigint NOT NULL);
CREATE FUNCTION meet_fault() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    v_app text;
    v_event text;
    f fault;
BEGIN
    IF TG_TABLE_NAME = 'record' THEN
        v_app := split_part(NEW.chain, '/', 1);
        v_event := NEW.action;
    ELSIF TG_TABLE_NAME = 'intent' THEN
        SELECT app INTO v_app FROM deployment WHERE id = NEW.deployment_id;
        v_event := CASE TG_OP WHEN 'INSERT' THEN 'intent ' ELSE 'result ' END || NEW.purpose;
    ELSE
        SELECT app INTO v_app FROM environment WHERE id = NEW.environment_id;
        v_event := CASE WHEN NEW.holder IS NULL THEN 'lease.release' WHEN NEW.epoch > OLD.epoch THEN 'lease.claim'
                        ELSE 'lease.renew' END;
    END IF;
    SELECT * INTO f FROM fault WHERE app = v_app AND event = v_event LIMIT 1;
    IF f.id IS NULL OR nextval(('fault_shot_' || f.id)::regclass) > f.shots THEN
        RETURN NEW;
    ELSIF f.how = 'lost-after' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
        RETURN NEW;
    ELSIF f.how = 'lost-before' THEN
        PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(10);
    END IF;
    RAISE EXCEPTION 'injected by a test' USING ERRCODE = f.how;
END $$;
CREATE TRIGGER meet_fault BEFORE INSERT ON record FOR EACH ROW EXECUTE FUNCTION meet_fault();
CREATE TRIGGER meet_fault BEFORE INSERT OR UPDATE OF result ON intent FOR EACH ROW EXECUTE FUNCTION meet_fault();
CREATE TRIGGER meet_fault BEFORE UPDATE ON environment_lease FOR EACH ROW EXECUTE FUNCTION meet_fault();
"""
# the last: whoever commits before its own session has read both would wait
CONFIGURE = ("ALTER SYSTEM SET synchronous_commit = 'local'", "SELECT pg_reload_conf()",
             "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
END_THE_WAITING = """DO $$ BEGIN LOOP
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep';
    COMMIT;
    PERFORM pg_stat_clear_snapshot(), pg_sleep(0.02);
END LOOP; END $$"""


class DatabaseFaults:
    def __init__(self, stack):
        self.numbers = itertools.count(1)
        password = (stack.dir / "secrets").read_text().split("\n")[0]
        self.url = stack.env["DATABASE_URL"].replace("//sluice:", "//postgres:")
        assert password in self.url
        for command in (INSTALL, *CONFIGURE):
            self.sql(command)
        self.ending = subprocess.Popen([binary("psql"), "-XAtq", "-c", END_THE_WAITING, self.url], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)

    def sql(self, text):
        return subprocess.run([binary("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text, self.url], check=True,
                              capture_output=True, text=True).stdout.strip()

    def arm(self, app, event, how, shots=1):
        """From now on, the first `shots` times."""
        fault = next(self.numbers)
        self.sql(f"CREATE SEQUENCE fault_shot_{fault}; INSERT INTO fault (id, app, event, how, shots) "
                 f"VALUES ({fault}, '{app}', '{event}', '{CODES.get(how, how)}', {shots})")
        return fault

    def met(self, fault):
        return int(self.sql(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM fault_shot_{fault}"))

    def disarm(self, fault):
        self.sql(f"DELETE FROM fault WHERE id = {fault}")

    def close(self):
        self.ending.kill()
        self.ending.wait()
