-- Changes of flags that are to be made at a time.

CREATE TABLE flag_schedule (
    id              uuid PRIMARY KEY,
    app             text NOT NULL,
    environment     text NOT NULL,
    environment_id  uuid NOT NULL,
    flag            text NOT NULL,
    flag_created_at timestamptz NOT NULL,
    at              timestamptz NOT NULL,
    change          jsonb NOT NULL,
    if_revision     bigint,
    reason          text,
    created_by      jsonb NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'applied', 'failed', 'canceled')),
    ended_at        timestamptz CHECK ((ended_at IS NULL) = (state = 'pending')),
    ended_by        jsonb CHECK ((ended_by IS NOT NULL) = (state = 'canceled')),
    failure         text CHECK ((failure IS NOT NULL) = (state = 'failed')),
    revision        bigint CHECK ((revision IS NOT NULL) = (state = 'applied'))
);
COMMENT ON TABLE flag_schedule IS 'A change of what a flag is in an environment, made when its time has come, by whichever server is first; the row stays.';
COMMENT ON COLUMN flag_schedule.environment_id IS 'Another one under the same name is not meant.';
COMMENT ON COLUMN flag_schedule.flag_created_at IS 'A flag that was made again under the same name is not meant.';
COMMENT ON COLUMN flag_schedule.change IS '{enabled?, strategies?, default_variant?, requires_release?}: what is to be another then.';
COMMENT ON COLUMN flag_schedule.if_revision IS 'Only if this is the last change of the flag there by then; null: in any case.';
COMMENT ON COLUMN flag_schedule.revision IS 'Of the change that it made.';
CREATE INDEX flag_schedule_due ON flag_schedule (at, id) WHERE state = 'pending';
CREATE INDEX flag_schedule_of ON flag_schedule (environment_id, flag, id);
CREATE TRIGGER flag_schedule_stays BEFORE DELETE OR TRUNCATE ON flag_schedule
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('schedules stay on record');
CREATE TRIGGER flag_schedule_is_immutable BEFORE UPDATE ON flag_schedule FOR EACH ROW
    WHEN (OLD.state <> 'pending'
          OR to_jsonb(NEW) - '{state,ended_at,ended_by,failure,revision}'::text[]
             IS DISTINCT FROM to_jsonb(OLD) - '{state,ended_at,ended_by,failure,revision}'::text[])
    EXECUTE FUNCTION refuse_change('a schedule never changes, but that it ends, once');

INSERT INTO table_grant (name, app, auditor) VALUES
    ('flag_schedule', 'SELECT, INSERT, UPDATE (state, ended_at, ended_by, failure, revision)', 'SELECT');
