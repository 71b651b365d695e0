-- Approvals of changes of flags, where an environment asks for them: asked for by one, approved by others, then applied.

CREATE FUNCTION flag_approvals_asked(p_environment uuid) RETURNS int LANGUAGE sql STABLE AS $$
    SELECT (gate_spec(p_environment) #>> '{flag_approvals,count}')::int
$$;
COMMENT ON FUNCTION flag_approvals_asked IS 'How many people an environment asks for before a change of a flag; null: none.';

CREATE TABLE flag_request (
    id             uuid PRIMARY KEY,
    app            text NOT NULL,
    environment    text NOT NULL,
    environment_id uuid NOT NULL,
    changes        jsonb NOT NULL,
    bound          jsonb NOT NULL,
    reason         text NOT NULL,
    requested_by   jsonb NOT NULL,
    requested_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at     timestamptz NOT NULL DEFAULT clock_timestamp() + interval '7 days',
    ended          text CHECK (ended IN ('applied', 'rejected', 'canceled')),
    ended_at       timestamptz CHECK ((ended_at IS NULL) = (ended IS NULL)),
    ended_by       jsonb CHECK ((ended_by IS NULL) = (ended IS NULL)),
    note           text CHECK (note IS NULL OR ended IS NOT NULL),
    revision       bigint CHECK ((revision IS NOT NULL) = (ended IS NOT DISTINCT FROM 'applied'))
);
COMMENT ON TABLE flag_request IS 'Changes of flags in an environment that somebody asks for; the row stays. What it is: flag_request_state.';
COMMENT ON COLUMN flag_request.environment_id IS 'Another one under the same name is not meant.';
COMMENT ON COLUMN flag_request.changes IS '[{flag, set, before, after}]: what approvers see.';
COMMENT ON COLUMN flag_request.bound IS 'flag_request_bound when it was asked for: another one is another thing than they saw.';
COMMENT ON COLUMN flag_request.note IS 'What was said when it ended.';
COMMENT ON COLUMN flag_request.revision IS 'Of the changes that it made.';
CREATE INDEX flag_request_of ON flag_request (environment_id, id);
CREATE UNIQUE INDEX flag_request_applied ON flag_request (app, revision) WHERE ended = 'applied';

CREATE TABLE flag_request_approval (
    request_id uuid NOT NULL REFERENCES flag_request,
    by         jsonb NOT NULL,
    issuer     text NOT NULL GENERATED ALWAYS AS (by ->> 'issuer') STORED,
    subject    text NOT NULL GENERATED ALWAYS AS (by ->> 'subject') STORED,
    note       text,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (request_id, issuer, subject)
);
COMMENT ON TABLE flag_request_approval IS 'Who approved a request: one person counts once.';

CREATE FUNCTION flag_request_bound(p_app text, p_environment uuid, p_changes jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_object_agg(b.what, b.revisions), '{}')
    FROM (SELECT 'flag ' || (c.change ->> 'flag') AS what, jsonb_build_array(f.revision, s.revision) AS revisions
          FROM jsonb_array_elements(p_changes) c (change)
          LEFT JOIN flag f ON f.app = p_app AND f.name = c.change ->> 'flag'
          LEFT JOIN flag_environment s ON s.environment_id = p_environment AND s.flag = f.name
          UNION
          SELECT 'segment ' || n.name, jsonb_build_array(g.revision)
          FROM jsonb_array_elements(p_changes) c (change),
               jsonb_path_query(c.change, '$.after.strategies[*].segments[*]') p (path),
               LATERAL (SELECT p.path #>> '{}' AS name) n
          LEFT JOIN segment g ON g.app = p_app AND g.name = n.name) b
$$;
COMMENT ON FUNCTION flag_request_bound IS 'The revisions of all that changes rely on: flags, what they are there, and the segments that they will name.';

CREATE FUNCTION flag_request_stale(r flag_request) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(n.key ORDER BY n.key), '[]')
    FROM jsonb_each(flag_request_bound(r.app, r.environment_id, r.changes)) n
    WHERE r.ended IS NULL AND n.value IS DISTINCT FROM r.bound -> n.key
$$;
COMMENT ON FUNCTION flag_request_stale IS 'What was changed since an open request was made: ["flag checkout", "segment beta"].';

CREATE FUNCTION flag_request_needed(r flag_request) RETURNS int LANGUAGE sql STABLE AS $$
    SELECT coalesce(flag_approvals_asked(r.environment_id), 1)
$$;
COMMENT ON FUNCTION flag_request_needed IS 'How many approvals it takes, as its environment asks now.';

CREATE FUNCTION flag_request_state(r flag_request, p_now timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN r.ended IS NOT NULL THEN r.ended
                WHEN r.expires_at <= p_now THEN 'expired'
                WHEN (SELECT count(*) FROM flag_request_approval a WHERE a.request_id = r.id) >= flag_request_needed(r) THEN 'approved'
                ELSE 'pending' END
$$;
COMMENT ON FUNCTION flag_request_state IS 'pending, approved, applied, rejected, canceled or expired.';

-- ---- what the database refuses, after the server ----

CREATE FUNCTION flag_approval_may_be() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_by      jsonb := to_jsonb(NEW) -> 'by';
    v_request flag_request;
BEGIN
    SELECT * INTO v_request FROM flag_request r WHERE r.id = NEW.request_id;
    IF v_by ->> 'kind' IS DISTINCT FROM 'user' OR v_by ->> 'issuer' = 'sluice-key' THEN
        RAISE EXCEPTION 'only people approve changes of flags' USING ERRCODE = 'SL002';
    END IF;
    IF (v_by ->> 'subject', v_by ->> 'issuer')
       IS NOT DISTINCT FROM (v_request.requested_by ->> 'subject', v_request.requested_by ->> 'issuer') THEN
        RAISE EXCEPTION '% asked for it, and does not approve it', v_by ->> 'subject' USING ERRCODE = 'SL002';
    END IF;
    IF flag_request_state(v_request, clock_timestamp()) NOT IN ('pending', 'approved') OR flag_request_stale(v_request) <> '[]' THEN
        RAISE EXCEPTION 'nothing to approve' USING ERRCODE = 'serialization_failure'; -- the server has just looked: it looks again
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION flag_approval_may_be IS 'People only, never who asked for it, of what is still open and as it was.';
CREATE TRIGGER flag_approval_may_be BEFORE INSERT ON flag_request_approval
    FOR EACH ROW EXECUTE FUNCTION flag_approval_may_be();
CREATE TRIGGER flag_request_approval_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON flag_request_approval
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('approvals stay on record');

CREATE FUNCTION flag_request_may_be_applied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF flag_request_state(OLD, clock_timestamp()) <> 'approved' OR flag_request_stale(OLD) <> '[]' THEN
        RAISE EXCEPTION 'only what is approved, and as it was, is applied' USING ERRCODE = 'serialization_failure'; -- gates changed since
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER flag_request_may_be_applied BEFORE UPDATE ON flag_request FOR EACH ROW
    WHEN (NEW.ended = 'applied') EXECUTE FUNCTION flag_request_may_be_applied();
CREATE TRIGGER flag_request_is_immutable BEFORE UPDATE ON flag_request FOR EACH ROW
    WHEN (OLD.ended IS NOT NULL
          OR to_jsonb(NEW) - '{ended,ended_at,ended_by,note,revision}'::text[]
             IS DISTINCT FROM to_jsonb(OLD) - '{ended,ended_at,ended_by,note,revision}'::text[])
    EXECUTE FUNCTION refuse_change('a request never changes, but that it ends, once');
CREATE TRIGGER flag_request_stays BEFORE DELETE OR TRUNCATE ON flag_request
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('requests stay on record');

-- ---- no way around ----

-- Every change of a flag or a segment, whoever makes it, is a row of flag_change: here none slips through.
CREATE FUNCTION flag_changes_may_be() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_free  text[] := '{description,type,stale_after}'; -- changes nothing that is served
    v_app   text;
    v_where text;
BEGIN
    IF EXISTS (SELECT FROM made m
               WHERE m.source = 'request'
                 AND NOT EXISTS (SELECT FROM flag_request r
                                 WHERE r.app = m.app AND r.environment = m.environment AND r.ended = 'applied'
                                   AND r.revision = m.revision AND r.bound ? ('flag ' || m.name))) THEN
        RAISE EXCEPTION 'no request was applied for this change' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR v_app IN SELECT DISTINCT m.app FROM made m LOOP
        SELECT e.name INTO v_where
        FROM (SELECT e.id, e.name FROM environment e
              WHERE e.app = v_app AND flag_approvals_asked(e.id) IS NOT NULL OFFSET 0) e -- mostly none
        JOIN made m ON m.app = v_app AND m.action <> 'flag.killed' AND m.source NOT IN ('request', 'deployment')
         AND CASE m.kind
             WHEN 'environment' THEN e.name = m.environment
             WHEN 'flag' THEN EXISTS (SELECT FROM flag_environment s WHERE s.environment_id = e.id AND s.flag = m.name
                                         AND (s.enabled OR s.spec ->> 'default_variant' IS NOT NULL))
             ELSE EXISTS (SELECT FROM flag_environment s WHERE s.environment_id = e.id
                             AND s.spec -> 'strategies' @> jsonb_build_array(jsonb_build_object('segments', jsonb_build_array(m.name)))) END
         AND (m.kind = 'environment'
              OR m.after - v_free IS DISTINCT FROM (SELECT c.after - v_free FROM flag_change c
                                                    WHERE c.app = v_app AND c.revision = m.before AND c.kind = m.kind AND c.name = m.name
                                                      AND c.environment = ''))
        ORDER BY e.name LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION '% asks for approvals of changes of flags', v_where USING ERRCODE = 'SL003', CONSTRAINT = v_where;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION flag_changes_may_be IS 'Refuses (SL003, the constraint names the environment) what needs approval and has none: a change of what a flag is in an environment that asks for it, unless it is a kill or a deployment''s; of a definition that is on, or has a default variant, there; of a segment that strategies name there.';
CREATE TRIGGER flag_changes_may_be AFTER INSERT ON flag_change REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION flag_changes_may_be(); -- once: an import has thousands

CREATE FUNCTION flag_schedule_may_be() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF flag_approvals_asked(NEW.environment_id) IS NOT NULL THEN
        RAISE EXCEPTION '% asks for approvals of changes of flags', NEW.environment USING ERRCODE = 'SL003', CONSTRAINT = NEW.environment;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION flag_schedule_may_be IS 'Nothing is scheduled that could not be made now; one that was scheduled before fails at its time.';
CREATE TRIGGER flag_schedule_may_be BEFORE INSERT ON flag_schedule FOR EACH ROW EXECUTE FUNCTION flag_schedule_may_be();

COMMENT ON COLUMN flag_change.source IS 'How it came: api, restore, promote, import, schedule, request, deployment.';

-- ---- who may ----

INSERT INTO duty (kind, action, why)
SELECT k, a, 'only people approve changes of flags'
FROM unnest('{ci,bot,service,worker}'::text[]) k, (VALUES ('flag.request.approved'), ('flag.request.rejected')) d (a);

INSERT INTO table_grant (name, app, auditor) VALUES
    ('flag_request',          'SELECT, INSERT, UPDATE (ended, ended_at, ended_by, note, revision)', 'SELECT'),
    ('flag_request_approval', 'SELECT, INSERT', 'SELECT');
