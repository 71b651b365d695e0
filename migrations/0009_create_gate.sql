-- Gates: checklists with evidence, sign-offs, freezes, and what was found open or closed.

CREATE TABLE checklist_template (
    name       text NOT NULL,
    version    int NOT NULL CHECK (version > 0),
    groups     jsonb NOT NULL,
    built_in   boolean NOT NULL DEFAULT false,
    created_by jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, version)
);
COMMENT ON TABLE checklist_template IS 'Checklists to be filled in; a PUT adds a version, none is ever changed: a checklist in use keeps its own.';
COMMENT ON COLUMN checklist_template.groups IS '[{name, title, items: [{key, title, kind, required, probe?, params?, expires_s?}]}], item keys unique within a template.';
COMMENT ON COLUMN checklist_template.created_by IS 'Null of what is built in.';
CREATE TRIGGER checklist_template_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON checklist_template
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('a version of a template never changes');

CREATE TABLE environment_gate (
    environment_id uuid PRIMARY KEY REFERENCES environment ON DELETE CASCADE,
    spec           jsonb NOT NULL,
    revision       bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE environment_gate IS 'What an environment asks for before and after a deployment: the body of PUT …/gates.';

CREATE TABLE checklist (
    id             uuid PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('before', 'after', 'success')),
    environment_id uuid NOT NULL,
    release_id     uuid NOT NULL REFERENCES release,
    deployment_id  uuid REFERENCES deployment CHECK ((deployment_id IS NULL) = (kind = 'before')),
    template       text NOT NULL,
    version        int NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (template, version) REFERENCES checklist_template
);
COMMENT ON TABLE checklist IS 'A checklist in use, made with its first fact (an item, evidence, a sign-off, a deployment): it keeps the template''s version. Before: of a release in an environment; after and success: of a deployment.';
CREATE UNIQUE INDEX checklist_once ON checklist (release_id, environment_id, kind, template, deployment_id) NULLS NOT DISTINCT;
CREATE TRIGGER checklist_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON checklist
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('a checklist in use keeps its template''s version');

CREATE TABLE report (
    id         uuid PRIMARY KEY,
    release_id uuid NOT NULL REFERENCES release,
    media_type text NOT NULL,
    bytes      bigint NOT NULL,
    sha256     text NOT NULL,
    gzip       bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE report IS 'Raw reports that evidence was read from, compressed.';
COMMENT ON COLUMN report.bytes IS 'Before compression; sha256 is of these bytes.';
CREATE TRIGGER report_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON report
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('what evidence was read from is kept');

CREATE TABLE item_fact (
    id             uuid PRIMARY KEY,
    number         bigint GENERATED ALWAYS AS IDENTITY,
    kind           text NOT NULL CHECK (kind IN ('before', 'after', 'success')),
    release_id     uuid NOT NULL REFERENCES release,
    environment_id uuid,
    deployment_id  uuid REFERENCES deployment CHECK ((deployment_id IS NULL) = (kind = 'before')),
    item           text NOT NULL,
    state          text NOT NULL CHECK (state IN ('open', 'passed', 'failed', 'waived')),
    evidence       boolean NOT NULL DEFAULT false CHECK (NOT evidence OR state IN ('passed', 'failed')),
    source         text,
    url            text,
    summary        text,
    note           text,
    person         text,
    reason         text CHECK (state <> 'waived' OR reason IS NOT NULL),
    role           text CHECK (state <> 'waived' OR role IS NOT NULL),
    content_digest text NOT NULL,
    report_id      uuid REFERENCES report,
    observed_at    timestamptz NOT NULL,
    expires_at     timestamptz CHECK (state <> 'waived' OR expires_at IS NOT NULL),
    by             jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE item_fact IS 'What was said about an item of a checklist, by whom. Nothing is replaced: the last one observed counts, the others stay on record.';
COMMENT ON COLUMN item_fact.environment_id IS 'Null: evidence for the release in every environment.';
COMMENT ON COLUMN item_fact.evidence IS 'From what ran (POST …/evidence); else from a person.';
COMMENT ON COLUMN item_fact.person IS 'Whom the item is to name (on-call identified).';
COMMENT ON COLUMN item_fact.role IS 'Of a waiver: the role in which it was given.';
COMMENT ON COLUMN item_fact.content_digest IS 'Of the release that it is about.';
CREATE INDEX item_fact_of_release ON item_fact (release_id, kind, item);
CREATE TRIGGER item_fact_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON item_fact
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('what was said about an item stays on record');

CREATE TABLE signoff (
    id             uuid PRIMARY KEY,
    release_id     uuid NOT NULL REFERENCES release,
    environment_id uuid NOT NULL,
    deployment_id  uuid REFERENCES deployment,
    role           text NOT NULL CHECK (role IN ('engineering', 'qa', 'devops', 'product', 'customer-success', 'support', 'final')),
    decision       text NOT NULL CHECK (decision IN ('approve', 'reject')),
    note           text,
    by             jsonb NOT NULL,
    issuer         text NOT NULL GENERATED ALWAYS AS (by ->> 'issuer') STORED,
    subject        text NOT NULL GENERATED ALWAYS AS (by ->> 'subject') STORED,
    content_digest text NOT NULL,
    checklist      text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    withdrawn_at   timestamptz,
    withdrawn_by   jsonb
);
COMMENT ON TABLE signoff IS 'One person''s decision in one role: before, about a release in an environment; after (deployment_id), about a deployment.';
COMMENT ON COLUMN signoff.content_digest IS 'Of the release that was looked at.';
COMMENT ON COLUMN signoff.checklist IS 'NAME@VERSION of the checklist that was looked at, '''' where there was none: void when it is another.';
COMMENT ON COLUMN signoff.withdrawn_by IS 'Also whoever replaced it by another decision.';
CREATE UNIQUE INDEX signoff_one_person ON signoff (release_id, environment_id, coalesce(deployment_id, '00000000-0000-0000-0000-000000000000'), issuer, subject)
    WHERE withdrawn_at IS NULL;
COMMENT ON INDEX signoff_one_person IS 'One person counts once.';
CREATE INDEX signoff_of_deployment ON signoff (deployment_id) WHERE deployment_id IS NOT NULL;
CREATE TRIGGER signoff_stays BEFORE DELETE OR TRUNCATE ON signoff
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('sign-offs stay on record');
CREATE TRIGGER signoff_is_immutable AFTER UPDATE ON signoff FOR EACH ROW
    WHEN (OLD.withdrawn_at IS NOT NULL
          OR to_jsonb(NEW) - '{withdrawn_at,withdrawn_by}'::text[] IS DISTINCT FROM to_jsonb(OLD) - '{withdrawn_at,withdrawn_by}'::text[])
    EXECUTE FUNCTION refuse_change('a sign-off never changes, but that it is withdrawn, once');

CREATE TABLE change_freeze (
    id                 uuid PRIMARY KEY,
    app                text,
    environment        text CHECK (environment IS NULL OR app IS NOT NULL),
    reason             text NOT NULL,
    starts_at          timestamptz,
    ends_at            timestamptz,
    weekly             jsonb CHECK ((weekly IS NULL) = (starts_at IS NOT NULL AND ends_at IS NOT NULL)),
    let_running_finish boolean NOT NULL DEFAULT false,
    created_by         jsonb NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at           timestamptz,
    ended_by           jsonb,
    CONSTRAINT a_year_at_most CHECK (ends_at > starts_at AND ends_at <= starts_at + interval '8784 hours')
);
COMMENT ON TABLE change_freeze IS 'A freeze (a reserved word of SQL): a window in which deployments (never rollbacks) are refused: of one environment, of an app, of all.';
COMMENT ON COLUMN change_freeze.weekly IS '{days: ["monday" …], start: "HH:MM", duration_s, timezone}: again each week; a single window without it.';
COMMENT ON COLUMN change_freeze.ended_at IS 'When somebody took it back; the row stays.';
CREATE INDEX change_freeze_standing ON change_freeze (app) WHERE ended_at IS NULL;
CREATE TRIGGER change_freeze_stays BEFORE DELETE OR TRUNCATE ON change_freeze
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('freezes stay on record');
CREATE TRIGGER change_freeze_is_immutable BEFORE UPDATE ON change_freeze FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL
          OR to_jsonb(NEW) - '{ended_at,ended_by}'::text[] IS DISTINCT FROM to_jsonb(OLD) - '{ended_at,ended_by}'::text[])
    EXECUTE FUNCTION refuse_change('a freeze never changes, but that it is ended, once');

-- The zone rules are PostgreSQL's: a window starts at its local time of each such day, whatever the clocks do, and lasts duration_s.
CREATE FUNCTION freeze_windows(f change_freeze, p_from timestamptz, p_to timestamptz) RETURNS tstzmultirange LANGUAGE sql STABLE AS $$
    SELECT coalesce(range_agg(w.window), '{}')
    FROM (SELECT tstzrange(f.starts_at, f.ends_at) AS window WHERE f.weekly IS NULL
          UNION ALL
          SELECT tstzrange(s.at, s.at + (f.weekly ->> 'duration_s')::int * interval '1 second')
          FROM generate_series(date_trunc('day', p_from AT TIME ZONE (f.weekly ->> 'timezone')) - interval '8 days',
                               p_to AT TIME ZONE (f.weekly ->> 'timezone'), interval '1 day') d (day),
               LATERAL (SELECT (d.day + (f.weekly ->> 'start')::time) AT TIME ZONE (f.weekly ->> 'timezone') AS at) s
          WHERE f.weekly -> 'days' ? trim(to_char(d.day, 'day'))) w
    WHERE w.window && tstzrange(p_from, p_to)
$$;
COMMENT ON FUNCTION freeze_windows IS 'The windows of a freeze that touch a span of time; those that meet are one.';

-- From a week before, so that a window keeps its start however many met to make it; two weeks on there always is another.
CREATE FUNCTION freeze_next(f change_freeze, p_now timestamptz) RETURNS tstzrange LANGUAGE sql STABLE AS $$
    SELECT w FROM unnest(freeze_windows(f, p_now - interval '7 days',
                                        CASE WHEN f.weekly IS NULL THEN 'infinity' ELSE p_now + interval '15 days' END)) w
    WHERE upper(w) > p_now AND f.ended_at IS NULL ORDER BY w LIMIT 1
$$;
COMMENT ON FUNCTION freeze_next IS 'The window of a freeze that holds a moment, else the first to come; null: it was ended, or is over.';

CREATE TABLE break_glass (
    id             uuid PRIMARY KEY,
    environment_id uuid NOT NULL,
    reason         text NOT NULL,
    duration_s     int NOT NULL CHECK (duration_s BETWEEN 60 AND 3600),
    requested_by   jsonb NOT NULL,
    requested_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_by   jsonb,
    confirmed_at   timestamptz,
    until          timestamptz CHECK ((until IS NULL) = (confirmed_at IS NULL) AND (confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CONSTRAINT two_people CHECK ((confirmed_by ->> 'subject', confirmed_by ->> 'issuer')
                                 IS DISTINCT FROM (requested_by ->> 'subject', requested_by ->> 'issuer')),
    CONSTRAINT an_hour_at_most CHECK (until <= confirmed_at + interval '1 hour')
);
COMMENT ON TABLE break_glass IS 'Freezes of an environment lifted for a while: asked for by one person, confirmed by another.';
CREATE INDEX break_glass_of_environment ON break_glass (environment_id, until);
CREATE TRIGGER break_glass_stays BEFORE DELETE OR TRUNCATE ON break_glass
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('who broke the glass stays on record');
CREATE TRIGGER break_glass_is_immutable BEFORE UPDATE ON break_glass FOR EACH ROW
    WHEN (OLD.confirmed_at IS NOT NULL
          OR to_jsonb(NEW) - '{confirmed_by,confirmed_at,until}'::text[] IS DISTINCT FROM to_jsonb(OLD) - '{confirmed_by,confirmed_at,until}'::text[])
    EXECUTE FUNCTION refuse_change('it is confirmed once, and never changes');

CREATE FUNCTION break_glass_state(b break_glass, p_now timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN b.until > p_now THEN 'open'
                WHEN b.until IS NULL AND b.requested_at + interval '1 hour' > p_now THEN 'requested'
                ELSE 'over' END
$$;
COMMENT ON FUNCTION break_glass_state IS 'requested, open, or over: also what nobody confirmed within an hour.';

CREATE TABLE gate_state (
    environment_id uuid NOT NULL REFERENCES environment ON DELETE CASCADE,
    release_id     uuid NOT NULL REFERENCES release,
    open           boolean NOT NULL,
    look_at        timestamptz,
    PRIMARY KEY (environment_id, release_id)
);
COMMENT ON TABLE gate_state IS 'What the gate last said of a release in an environment, so that its opening and its closing are recorded, once each.';
COMMENT ON COLUMN gate_state.look_at IS 'When time alone may change it, or at once where something else did; null: nobody waits for it.';
CREATE INDEX gate_state_due ON gate_state (look_at) WHERE look_at IS NOT NULL;

-- Both are inlined into the statements that read them, whose plans are kept: one SELECT each, and nothing volatile.
CREATE FUNCTION checklist_asked(p_kind text, p_environment uuid, p_release uuid, p_deployment uuid)
RETURNS TABLE (template text, version int, groups jsonb) LANGUAGE sql STABLE AS $$
    SELECT t.name, t.version, t.groups
    FROM checklist_template t
    WHERE t.name = CASE p_kind WHEN 'success' THEN 'success-criteria'
                               ELSE (SELECT g.spec -> 'checklist' ->> p_kind FROM environment_gate g WHERE g.environment_id = p_environment) END
      AND t.version = coalesce((SELECT c.version FROM checklist c
                                WHERE c.release_id = p_release AND c.environment_id = p_environment AND c.kind = p_kind
                                  AND c.template = t.name AND c.deployment_id IS NOT DISTINCT FROM p_deployment),
                               (SELECT max(n.version) FROM checklist_template n WHERE n.name = t.name))
$$;
COMMENT ON FUNCTION checklist_asked IS 'The checklist that an environment asks for: its template in the version in use, else in the newest. No row: none is asked for, or there is no such template.';

CREATE FUNCTION checklist_probe(p_probe text, p_environment uuid, p_release uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION checklist_probe IS 'What Sluice itself finds of an item of kind probe, now, as a fact of the gate; null: it does not look, a person ticks it.';

CREATE FUNCTION checklist_filled(p_kind text, p_environment uuid, p_release uuid, p_deployment uuid)
RETURNS TABLE (template text, version int, items jsonb) LANGUAGE sql STABLE AS $$
    WITH f AS (
        SELECT f.* FROM item_fact f
        WHERE f.release_id = p_release AND f.kind = p_kind AND f.deployment_id IS NOT DISTINCT FROM p_deployment
          AND (f.environment_id IS NULL OR f.environment_id = p_environment)
    ), fact AS (
        SELECT DISTINCT ON (f.item, f.evidence) f.item, f.evidence, f.observed_at, f.number, jsonb_build_object(
            'state', f.state, 'observed_us', (extract(epoch FROM f.observed_at) * 1000000)::bigint,
            'expires_us', (extract(epoch FROM f.expires_at) * 1000000)::bigint, 'evidence', f.evidence, 'source', f.source,
            'url', f.url, 'summary', f.summary, 'note', f.note, 'person', f.person, 'report', f.report_id, 'by', f.by) AS fact
        FROM f WHERE f.state <> 'waived' ORDER BY f.item, f.evidence, f.observed_at DESC, f.number DESC
    ), waiver AS ( -- one that no person has said anything after
        SELECT DISTINCT ON (w.item) w.item, jsonb_build_object(
            'at_us', (extract(epoch FROM w.observed_at) * 1000000)::bigint,
            'expires_us', (extract(epoch FROM w.expires_at) * 1000000)::bigint, 'reason', w.reason, 'role', w.role, 'by', w.by) AS waiver
        FROM f w
        WHERE w.state = 'waived'
          AND NOT EXISTS (SELECT 1 FROM f n WHERE n.item = w.item AND NOT n.evidence AND n.number > w.number AND n.state <> 'waived')
        ORDER BY w.item, w.number DESC
    )
    SELECT t.template, t.version,
           (SELECT jsonb_agg(jsonb_build_object('required', true) || i.item
                             || jsonb_build_object('group', g."group" ->> 'name', 'group_title', g."group" ->> 'title',
                                                   'probed', a.found IS NOT NULL,
                                                   'fact', CASE -- CI ticks nothing that a person, or a probe, is to tick, and no person what CI is to
                                                       WHEN a.found IS NOT NULL AND person.fact ->> 'state' IS DISTINCT FROM 'failed' THEN a.found
                                                       WHEN NOT a.by_ci THEN person.fact
                                                       WHEN person.item IS NULL OR person.fact ->> 'state' = 'passed'
                                                            OR (ci.observed_at, ci.number) > (person.observed_at, person.number) THEN ci.fact
                                                       ELSE person.fact END,
                                                   'waiver', waiver.waiver) ORDER BY g.n, i.n)
            FROM jsonb_array_elements(t.groups) WITH ORDINALITY g ("group", n),
                 jsonb_array_elements(g."group" -> 'items') WITH ORDINALITY i (item, n),
                 LATERAL (SELECT i.item ->> 'key' AS key, p_kind = 'before' AND i.item ->> 'kind' = 'evidence' AS by_ci,
                                 CASE WHEN p_kind = 'before' AND i.item ->> 'kind' = 'probe'
                                      THEN checklist_probe(i.item ->> 'probe', p_environment, p_release) END AS found
                          OFFSET 0) a -- taken out of the JSON once, not once for each fact
                 LEFT JOIN fact ci ON ci.item = a.key AND ci.evidence
                 LEFT JOIN fact person ON person.item = a.key AND NOT person.evidence
                 LEFT JOIN waiver ON waiver.item = a.key) AS items
    FROM checklist_asked(p_kind, p_environment, p_release, p_deployment) t
$$;
COMMENT ON FUNCTION checklist_filled IS 'That checklist with what counts of what was said about each item: what Sluice finds now, else the fact observed last, and a waiver that stands or stood until it expired.';

CREATE TABLE gate_wait (
    deployment_id uuid PRIMARY KEY REFERENCES deployment,
    gate_version  bigint NOT NULL,
    look_at       timestamptz
);
COMMENT ON TABLE gate_wait IS 'Blocked deployments: they begin when their gates open.';
COMMENT ON COLUMN gate_wait.gate_version IS 'Of its environment when it was looked at: another one is a reason to look again.';
COMMENT ON COLUMN gate_wait.look_at IS 'When time alone may open the gates, or what failed is tried again.';

-- ---- what a deployment's end owes the people who accept it ----

CREATE FUNCTION gate_spec(p_environment uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT spec FROM environment_gate WHERE environment_id = p_environment), '{}')
$$;
COMMENT ON FUNCTION gate_spec IS 'An environment''s gates, {} where it has none.';

CREATE FUNCTION deployment_acceptance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.acceptance := CASE WHEN NEW.kind = 'deploy' AND NEW.state NOT IN ('failed', 'aborted', 'rolled_back', 'canceled')
                                AND jsonb_array_length(coalesce(gate_spec(NEW.environment_id) -> 'acceptance', '[]')) > 0
                           THEN 'pending' ELSE 'not-required' END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION deployment_acceptance IS 'Until it has succeeded, a deployment''s acceptance is what its environment asks for now.';
CREATE TRIGGER deployment_acceptance_begins BEFORE INSERT ON deployment
    FOR EACH ROW EXECUTE FUNCTION deployment_acceptance();
CREATE TRIGGER deployment_acceptance BEFORE UPDATE ON deployment FOR EACH ROW
    WHEN (NEW.state <> OLD.state AND OLD.state <> 'succeeded')
    EXECUTE FUNCTION deployment_acceptance();

ALTER TABLE cleanup ADD COLUMN awaits_final boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN cleanup.awaits_final IS 'The final approval of its deployment is asked for and not there yet: not before.';
CREATE FUNCTION cleanup_awaits_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.awaits_final := (SELECT d.acceptance = 'pending' FROM deployment d WHERE d.id = NEW.deployment_id)
                        AND coalesce(gate_spec(NEW.environment_id) -> 'acceptance', '[]') @> '[{"role": "final"}]';
    RETURN NEW;
END $$;
COMMENT ON FUNCTION cleanup_awaits_final IS 'Where the final approval is asked for, the previous version is kept until then.';
CREATE TRIGGER cleanup_awaits_final BEFORE INSERT ON cleanup
    FOR EACH ROW EXECUTE FUNCTION cleanup_awaits_final();

-- ---- where it has to have run before ----

CREATE FUNCTION deployment_elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH next AS (
        SELECT e.id FROM environment e JOIN environment_gate g ON g.environment_id = e.id
        WHERE e.app = NEW.app AND g.spec ->> 'previous_environment' = NEW.environment
        ORDER BY e.id FOR NO KEY UPDATE OF e
    ), raised AS (
        UPDATE environment e SET gate_version = gate_version + 1 FROM next n WHERE e.id = n.id
    )
    UPDATE gate_state s SET look_at = clock_timestamp() FROM next n
    WHERE s.environment_id = n.id AND s.release_id = NEW.release_id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION deployment_elsewhere IS 'A success, or its end, is a fact of the gates of environments that ask for it first (law 4).';
CREATE TRIGGER deployment_elsewhere AFTER UPDATE ON deployment FOR EACH ROW
    WHEN (NEW.kind = 'deploy'
          AND ((NEW.state = 'succeeded') IS DISTINCT FROM (OLD.state = 'succeeded')
               OR NEW.rolled_back_by IS DISTINCT FROM OLD.rolled_back_by OR NEW.acceptance IS DISTINCT FROM OLD.acceptance))
    EXECUTE FUNCTION deployment_elsewhere();

-- ---- sign-offs ----

CREATE INDEX signoff_of_release ON signoff (release_id, id);

CREATE FUNCTION signoff_bound(p_release uuid, p_environment uuid, p_deployment uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'content_digest', r.content_digest,
        'checklist', coalesce((SELECT c.template || '@' || c.version
                               FROM checklist_asked(CASE WHEN p_deployment IS NULL THEN 'before' ELSE 'after' END,
                                                    p_environment, r.id, p_deployment) c), ''),
        'authors', CASE WHEN gate_spec(p_environment) -> 'self_approval' = 'true' THEN '[]' ELSE
            jsonb_build_array(r.created_by || '{"did": "created the release"}')
            || (SELECT coalesce(jsonb_agg(d.requested_by || '{"did": "asked for the deployment"}'), '[]') FROM deployment d
                WHERE d.id = p_deployment
                   OR p_deployment IS NULL AND d.environment_id = p_environment AND d.release_id = p_release AND d.kind = 'deploy'
                      AND d.state IN ('scheduled', 'queued', 'blocked', 'running', 'paused', 'undoing', 'stuck')) END)
    FROM release r WHERE r.id = p_release
$$;
COMMENT ON FUNCTION signoff_bound IS 'What sign-offs are about now, and who may not approve: {content_digest, checklist, authors [{subject, issuer, did}]}.';

CREATE FUNCTION acceptance_standing(p_deployment uuid)
RETURNS TABLE (asked boolean, rejected_by text[], missing text[]) LANGUAGE sql STABLE AS $$
    WITH d AS (
        SELECT d.id, coalesce(gate_spec(d.environment_id) -> 'acceptance', '[]') AS asked,
               signoff_bound(d.release_id, d.environment_id, d.id) AS bound
        FROM deployment d WHERE d.id = p_deployment
    ), valid AS (
        SELECT s.role, s.decision, s.subject FROM signoff s, d
        WHERE s.deployment_id = d.id AND s.withdrawn_at IS NULL AND s.content_digest = d.bound ->> 'content_digest'
          AND (s.decision = 'reject'
               OR s.checklist = d.bound ->> 'checklist'
                  AND NOT EXISTS (SELECT FROM jsonb_array_elements(d.bound -> 'authors') a
                                  WHERE a ->> 'subject' = s.subject AND a ->> 'issuer' = s.issuer))
    )
    SELECT jsonb_array_length(d.asked) > 0,
           ARRAY(SELECT DISTINCT v.subject FROM valid v WHERE v.decision = 'reject' ORDER BY v.subject),
           ARRAY(SELECT a ->> 'role' FROM jsonb_array_elements(d.asked) a
                 WHERE (SELECT count(*) FROM valid v WHERE v.role = a ->> 'role' AND v.decision = 'approve')
                       < coalesce((a ->> 'count')::int, 1))
    FROM d
$$;
COMMENT ON FUNCTION acceptance_standing IS 'Of a deployment: whether its acceptance is asked for, whose rejects stand, and the roles whose approvals are missing.';

CREATE FUNCTION signoff_may_be() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_bound jsonb := signoff_bound(NEW.release_id, NEW.environment_id, NEW.deployment_id);
    v_did   text;
BEGIN
    IF to_jsonb(NEW) #>> '{by,kind}' IS DISTINCT FROM 'user' THEN
        RAISE EXCEPTION 'an actor of kind % never signs off: only people do', coalesce(to_jsonb(NEW) #>> '{by,kind}', 'null') USING ERRCODE = 'SL002';
    END IF;
    IF NEW.content_digest IS DISTINCT FROM v_bound ->> 'content_digest' THEN
        RAISE EXCEPTION 'a sign-off of other content than the release''s' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.deployment_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM deployment d WHERE d.id = NEW.deployment_id AND d.release_id = NEW.release_id
           AND d.environment_id = NEW.environment_id AND d.kind = 'deploy' AND d.state = 'succeeded') THEN
        RAISE EXCEPTION 'only a deployment that succeeded is accepted or rejected' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT a ->> 'did' INTO v_did FROM jsonb_array_elements(v_bound -> 'authors') a
    WHERE a ->> 'subject' = to_jsonb(NEW) #>> '{by,subject}' AND a ->> 'issuer' = to_jsonb(NEW) #>> '{by,issuer}' LIMIT 1;
    IF FOUND AND NEW.decision = 'approve' THEN
        RAISE EXCEPTION '% %, and does not approve it', to_jsonb(NEW) #>> '{by,subject}', v_did USING ERRCODE = 'SL002';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION signoff_may_be IS 'People only, about the content that is there, and no approval of one''s own work; the server refuses first.';
CREATE TRIGGER signoff_may_be BEFORE INSERT ON signoff FOR EACH ROW EXECUTE FUNCTION signoff_may_be();

-- ---- who may ----

INSERT INTO duty (kind, action, why)
SELECT k, a, w
FROM unnest('{ci,bot,service,worker}'::text[]) k,
     (VALUES ('checklist.passed', 'only people tick items'), ('checklist.failed', 'only people tick items'),
             ('checklist.open', 'only people tick items'), ('breakglass.%', 'only people break the glass'),
             ('deployment.accepted', 'only people accept'), ('deployment.rejected', 'only people reject')) d (a, w);

INSERT INTO table_grant (name, app, auditor) VALUES
    ('checklist_template', 'SELECT, INSERT', 'SELECT'),
    ('environment_gate',   'SELECT, INSERT, UPDATE', 'SELECT'),
    ('checklist',          'SELECT, INSERT', 'SELECT'),
    ('report',             'SELECT, INSERT', 'SELECT'),
    ('item_fact',          'SELECT, INSERT', 'SELECT'),
    ('signoff',            'SELECT, INSERT, UPDATE (withdrawn_at, withdrawn_by)', 'SELECT'),
    ('change_freeze',      'SELECT, INSERT, UPDATE (ended_at, ended_by)', 'SELECT'),
    ('break_glass',        'SELECT, INSERT, UPDATE (confirmed_by, confirmed_at, until)', 'SELECT'),
    ('gate_state',         'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
    ('gate_wait',          'SELECT, INSERT, UPDATE, DELETE', 'SELECT');

-- ---- built in: the runbook's lists, word for word ----

CREATE FUNCTION checklist_items(p_kind text, p_items text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_agg(jsonb_build_object('key', trim(split_part(line, '|', 1)), 'title', trim(split_part(line, '|', 2)),
                                        'kind', coalesce(nullif(trim(split_part(line, '|', 3)), ''), p_kind), 'required', true)
                     || coalesce(nullif(trim(split_part(line, '|', 4)), '')::jsonb, '{}') ORDER BY n)
    FROM string_to_table(trim(E' \n' FROM p_items), E'\n') WITH ORDINALITY t (line, n)
$$;

INSERT INTO checklist_template (name, version, groups, built_in) VALUES
('before-deployment', 1, jsonb_build_array(
    jsonb_build_object('name', 'code-quality', 'title', 'Code Quality Checks', 'items', checklist_items('evidence', $$
        tests         | All tests passing (unit, integration, E2E)
        review        | Code review completed and approved
        security-scan | Security scan completed (no critical vulnerabilities)
        bundle        | Bundle analysis completed (size within limits)
        typescript    | TypeScript compilation successful
        lint          | ESLint/Prettier checks passed$$)),
    jsonb_build_object('name', 'environment-preparation', 'title', 'Environment Preparation', 'items', checklist_items('manual', $$
        staging       | Staging environment tested and validated
        migrations    | Database migrations reviewed and tested
        variables     | Environment variables configured
        secrets       | Secrets updated in Kubernetes
        flags         | Feature flags configured appropriately | probe | {"probe": "flags"}
        backup        | Backup completed | probe | {"probe": "backup"}$$)),
    jsonb_build_object('name', 'team-communication', 'title', 'Team Communication', 'items', checklist_items('manual', $$
        scheduled     | Deployment scheduled and communicated | manual | {"params": {"note": true}}
        stakeholders  | Stakeholders notified | manual | {"params": {"note": true}}
        rollback-plan | Rollback plan confirmed | manual | {"params": {"note": true}}
        on-call       | On-call engineer identified | manual | {"params": {"note": true, "person": true}}$$)),
    jsonb_build_object('name', 'infrastructure', 'title', 'Infrastructure Checks', 'items', checklist_items('probe', $$
        cluster       | Kubernetes cluster healthy | probe | {"probe": "cluster"}
        registry      | Container registry accessible | probe | {"probe": "registry"}
        load-balancer | Load balancer configured | probe | {"probe": "load-balancer"}
        certificates  | SSL certificates valid | probe | {"probe": "certificates"}
        monitoring    | Monitoring systems operational | probe | {"probe": "monitoring"}$$))), true),
('after-deployment', 1, jsonb_build_array(
    jsonb_build_object('name', 'functional', 'title', 'Functional Testing', 'items', checklist_items('manual', $$
        login          | User login/logout works
        journeys       | Critical user journeys function
        endpoints      | API endpoints respond correctly
        database       | Database operations work
        files          | File uploads/downloads work$$)),
    jsonb_build_object('name', 'performance', 'title', 'Performance Testing', 'items', checklist_items('manual', $$
        page-load      | Page load times acceptable
        api-response   | API response times normal
        memory         | No memory leaks detected
        queries        | Database query performance normal$$)),
    jsonb_build_object('name', 'security', 'title', 'Security Testing', 'items', checklist_items('manual', $$
        headers        | Security headers present
        tls            | SSL/TLS working correctly
        authentication | Authentication functioning
        authorization  | Authorization rules enforced$$))), true),
('success-criteria', 1, jsonb_build_array(
    jsonb_build_object('name', 'technical', 'title', 'Technical Criteria', 'items', checklist_items('manual', $$
        pods          | All pods running and healthy
        health-checks | Health checks passing consistently
        errors        | No increase in error rates
        performance   | Performance metrics within acceptable ranges
        migrations    | Database migrations completed successfully$$)),
    jsonb_build_object('name', 'business', 'title', 'Business Criteria', 'items', checklist_items('manual', $$
        journeys      | Critical user journeys working
        user-reports  | No user-reported issues
        flags         | Feature flags working as expected
        monitoring    | Monitoring and alerting functional$$)),
    jsonb_build_object('name', 'operational', 'title', 'Operational Criteria', 'items', checklist_items('manual', $$
        notifications | Deployment notifications sent
        documentation | Documentation updated
        team          | Team informed of completion
        rollback-plan | Rollback plan confirmed working$$))), true);
DROP FUNCTION checklist_items;
