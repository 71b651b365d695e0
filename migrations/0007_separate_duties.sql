-- Who may write what: three database roles, what nobody may change, and what a kind of caller never does.

-- ---- what nobody changes, the owner neither ----

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION refuse_change IS 'For triggers whose event, or whose WHEN, is what must not happen; the argument says why.';

CREATE TRIGGER record_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON record
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('records are never changed or removed');
CREATE TRIGGER chain_stays BEFORE DELETE OR TRUNCATE ON chain
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('chains are never removed');
CREATE TRIGGER chain_grows BEFORE UPDATE ON chain FOR EACH ROW
    WHEN (NEW.name <> OLD.name OR NEW.length IS DISTINCT FROM OLD.length + 1)
    EXECUTE FUNCTION refuse_change('a chain only grows, by one record');

CREATE TRIGGER deployment_stays BEFORE DELETE OR TRUNCATE ON deployment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('deployments are never removed');
DROP TRIGGER deployment_final_is_final ON deployment;
DROP FUNCTION deployment_final_is_final;
CREATE TRIGGER deployment_final_is_final BEFORE UPDATE ON deployment FOR EACH ROW
    WHEN (OLD.state IN ('succeeded', 'failed', 'aborted', 'rolled_back', 'canceled')
          AND (to_jsonb(NEW) - '{rolled_back_by,acceptance}'::text[]
               IS DISTINCT FROM to_jsonb(OLD) - '{rolled_back_by,acceptance}'::text[]
               OR NEW.rolled_back_by IS DISTINCT FROM OLD.rolled_back_by
                  AND (OLD.state <> 'succeeded' OR OLD.rolled_back_by IS NOT NULL)
               OR NEW.acceptance <> OLD.acceptance
                  AND (OLD.state <> 'succeeded' OR OLD.acceptance = 'not-required')))
    EXECUTE FUNCTION refuse_change('a final state is never left; afterwards a succeeded one only notes, once, who took it back, and its acceptance');

CREATE TRIGGER release_stays BEFORE DELETE OR TRUNCATE ON release
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('releases are never removed');
CREATE TRIGGER release_is_immutable BEFORE UPDATE ON release FOR EACH ROW
    WHEN (OLD.yanked_at IS NOT NULL
          OR to_jsonb(NEW) - '{yanked_at,yank_reason}'::text[] IS DISTINCT FROM to_jsonb(OLD) - '{yanked_at,yank_reason}'::text[])
    EXECUTE FUNCTION refuse_change('a release never changes, but that it is yanked, once');

CREATE TRIGGER intent_stays BEFORE DELETE OR TRUNCATE ON intent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the journal only grows');
CREATE TRIGGER intent_is_immutable BEFORE UPDATE ON intent FOR EACH ROW
    WHEN (OLD.result IS NOT NULL AND NEW.result IS DISTINCT FROM OLD.result AND NEW.result IS DISTINCT FROM 'void'
          OR to_jsonb(NEW) - '{result,resource_version,result_at}'::text[]
             IS DISTINCT FROM to_jsonb(OLD) - '{result,resource_version,result_at}'::text[])
    EXECUTE FUNCTION refuse_change('an intent never changes; it gets one result, which may be made void');

-- ---- what a kind of caller never does, whatever its roles ----

CREATE TABLE duty (
    kind   text NOT NULL CHECK (kind IN ('user', 'ci', 'bot', 'service', 'worker')),
    action text NOT NULL,
    why    text NOT NULL,
    PRIMARY KEY (kind, action)
);
COMMENT ON TABLE duty IS 'Actions that a kind of actor never does, whatever its roles: record_append, the last statement of every fact''s transaction, refuses them with SL002. The same as the table in server/auth/principal.c, which refuses first.';
COMMENT ON COLUMN duty.kind IS 'Of the actor; worker: Sluice itself, whose records come from no caller.';
COMMENT ON COLUMN duty.action IS 'As LIKE takes it.';
COMMENT ON COLUMN duty.why IS 'The end of a sentence.';
INSERT INTO duty (kind, action, why)
SELECT k, a, w
FROM unnest('{ci,bot,service,worker}'::text[]) k,
     (VALUES ('signoff.%', 'only people sign off'),
             ('%.waived', 'only people waive'),
             ('key.%', 'only people give keys out and take them back')) d (a, w)
UNION ALL
SELECT k, a, 'a stuck deployment is resolved by people'
FROM unnest('{ci,bot,service}'::text[]) k, (VALUES ('deployment.succeeded'), ('deployment.failed')) d (a)
UNION ALL
SELECT k, 'evidence.%', 'evidence comes from what ran, not from people'
FROM unnest('{user,worker}'::text[]) k;

-- The only way to append, for whoever may: it runs as its owner, so that nobody else needs to write record or chain.
CREATE OR REPLACE FUNCTION record_append(p_chain text, p_actor jsonb, p_from text, p_action text, p_subject text,
                                         p_message text, p_data jsonb, p_deployment uuid, p_trace text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    v_kind text := CASE p_from WHEN 'worker' THEN 'worker' ELSE p_actor->>'kind' END;
    v_why  text;
    v_head chain;
    v_at   timestamptz;
    v_line text;
    v_trace text;
    v_xid  xid8;
BEGIN
    IF p_actor->>'kind' IN ('user', 'ci', 'bot', 'service') IS NOT TRUE THEN
        RAISE EXCEPTION 'an actor of kind % is unknown', coalesce(p_actor->>'kind', 'null') USING ERRCODE = 'SL002';
    END IF;
    SELECT d.why INTO v_why FROM duty d WHERE d.kind = v_kind AND p_action LIKE d.action LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'an actor of kind % never does %: %', v_kind, p_action, v_why USING ERRCODE = 'SL002';
    END IF;
    INSERT INTO chain (name) VALUES (p_chain) ON CONFLICT DO NOTHING;
    SELECT * INTO v_head FROM chain WHERE name = p_chain FOR NO KEY UPDATE;
    v_at := clock_timestamp();
    v_xid := greatest(v_head.xid, pg_current_xact_id());
    v_line := json_build_object(
        'seq', v_head.length + 1, 'prev', v_head.head, 'chain', p_chain,
        'at', to_char(v_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'actor', p_actor, 'from', p_from, 'action', p_action, 'subject', p_subject,
        'message', p_message, 'data', p_data)::text;
    v_trace := coalesce(p_trace, (SELECT left(d.trace, 32) FROM deployment d WHERE d.id = p_deployment));
    IF v_trace IS NOT NULL THEN
        v_line := left(v_line, -1) || ', "trace_id" : ' || to_json(v_trace) || '}';
    END IF;
    INSERT INTO record (chain, seq, line, action, deployment_id, at, xid)
    VALUES (p_chain, v_head.length + 1, v_line, p_action, p_deployment, v_at, v_xid);
    UPDATE chain SET length = v_head.length + 1, head = encode(sha256(convert_to(v_line, 'UTF8')), 'hex'), xid = v_xid
    WHERE name = p_chain;
    RETURN v_head.length + 1;
END $$;
COMMENT ON FUNCTION record_append IS 'Appends one record, with the trace given or its deployment''s; refuses what the actor''s kind never does (SL002). Call it last in a transaction, chains in name order: the head row serialises.';
DO $$ BEGIN
    -- objects of the caller's own, in a schema or temporary, never stand in for ours
    EXECUTE format('ALTER FUNCTION record_append SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;
REVOKE ALL ON FUNCTION record_append, nonce_partitions FROM PUBLIC;

-- ---- database roles ----

CREATE TABLE table_grant (
    name    text PRIMARY KEY,
    app     text,
    auditor text
);
COMMENT ON TABLE table_grant IS 'What sluice_app and sluice_auditor may do with each table, as GRANT takes it: every migration that makes a table adds its row. A table without one is only the owner''s.';
INSERT INTO table_grant (name, app, auditor) VALUES
    ('app',                 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
    ('cluster',             'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
    ('environment',         'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
    ('environment_object',  'SELECT, INSERT, DELETE', 'SELECT'),
    ('release',             'SELECT, INSERT, UPDATE (yanked_at, yank_reason)', 'SELECT'),
    ('chain',               'SELECT', 'SELECT'),
    ('record',              'SELECT', 'SELECT'),
    ('deployment',          'SELECT, INSERT, UPDATE (state, plan, job, current_step, pause_requested, failure, confirmed_at, acceptance, rolled_back_by, started_at, ended_at)', 'SELECT'),
    ('step',                'SELECT, INSERT, UPDATE', 'SELECT'),
    ('intent',              'SELECT, INSERT, UPDATE (result, resource_version, result_at)', 'SELECT'),
    ('environment_lease',   'SELECT, INSERT, UPDATE', 'SELECT'),
    ('cleanup',             'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
    ('left_behind',         'SELECT, INSERT, UPDATE', 'SELECT'),
    ('idempotency',         'SELECT, INSERT, UPDATE, DELETE', NULL), -- holds answers
    ('key',                 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
    ('key_secret',          'SELECT, INSERT, UPDATE, DELETE', 'SELECT (key_id, slot, kek, created_at, expires_at)'),
    ('nonce',               'SELECT, INSERT', NULL),
    ('checkpoint',          'SELECT, INSERT', 'SELECT'),
    ('checkpoint_delivery', 'SELECT, UPDATE', 'SELECT'),
    ('duty',                'SELECT', 'SELECT'),
    ('table_grant',         'SELECT', 'SELECT'),
    ('schema_migration',    'SELECT', 'SELECT');

CREATE FUNCTION roles_grant() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t record;
    f record;
BEGIN
    FOR t IN SELECT c.oid::regclass AS name, g.app, g.auditor
             FROM pg_class c LEFT JOIN table_grant g ON g.name = c.relname
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
               AND pg_get_userbyid(c.relowner) = 'sluice_owner' LOOP
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, sluice_app, sluice_auditor', t.name);
        IF t.app IS NOT NULL THEN
            EXECUTE format('GRANT %s ON %s TO sluice_app', t.app, t.name);
        END IF;
        IF t.auditor IS NOT NULL THEN
            EXECUTE format('GRANT %s ON %s TO sluice_auditor', t.auditor, t.name);
        END IF;
    END LOOP;
    FOR f IN SELECT p.oid::regprocedure AS name, p.prorettype <> 'trigger'::regtype
                    AND p.proname NOT IN ('roles_grant', 'roles_setup') AS app
             FROM pg_proc p
             WHERE p.pronamespace = current_schema()::regnamespace AND pg_get_userbyid(p.proowner) = 'sluice_owner' LOOP
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC, sluice_app, sluice_auditor', f.name);
        IF f.app THEN
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO sluice_app', f.name);
        END IF;
    END LOOP;
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO sluice_app', current_schema());
END $$;
COMMENT ON FUNCTION roles_grant IS 'Gives sluice_app and sluice_auditor exactly what table_grant says, and sluice_app the functions. `sluiced migrate` ends with it once the roles are set up.';

CREATE FUNCTION roles_setup() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_role text;
    v_was  oid := (SELECT relowner FROM pg_class WHERE oid = 'schema_migration'::regclass);
    v_each text;
BEGIN
    IF NOT pg_has_role(current_user, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') THEN
        RAISE EXCEPTION 'role % does not own the database %: its owner or a superuser sets the roles up',
            current_user, current_database() USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOREACH v_role IN ARRAY '{sluice_owner,sluice_app,sluice_auditor}'::text[] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = v_role);
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND (rolcreaterole OR rolsuper)) THEN
            RAISE EXCEPTION 'role % may not create the role %: it lacks CREATEROLE (docs/operating.md, "Database roles")',
                current_user, v_role USING ERRCODE = 'insufficient_privilege';
        END IF;
        BEGIN
            EXECUTE format('CREATE ROLE %I %s', v_role, CASE v_role WHEN 'sluice_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- for another database, just now
        END;
    END LOOP;
    FOR v_role IN SELECT rolname FROM pg_roles
                  WHERE rolname IN ('sluice_app', 'sluice_auditor')
                    AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
                         OR pg_has_role(oid, 'sluice_owner', 'MEMBER')
                         OR pg_has_role(oid, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'MEMBER')) LOOP
        RAISE EXCEPTION 'role % may more than it should: superuser, createrole, createdb, replication, bypassrls, or a member of an owner',
            v_role USING ERRCODE = 'invalid_grantor';
    END LOOP;
    IF NOT pg_has_role(current_user, 'sluice_owner', 'MEMBER') THEN
        EXECUTE format('GRANT sluice_owner TO %I', current_user);
    END IF;
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO sluice_owner', current_schema());
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO sluice_app, sluice_auditor', current_schema());
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO sluice_app, sluice_auditor', current_database());
    -- what the schema's owner made so far; sequences of columns follow their tables
    FOR v_each IN
        SELECT format('TABLE %s', c.oid::regclass) FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relowner = v_was
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                          AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype IN ('a', 'i')))
        UNION ALL
        SELECT format('ROUTINE %s', p.oid::regprocedure) FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND p.proowner = v_was
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXIT WHEN pg_get_userbyid(v_was) = 'sluice_owner';
        EXECUTE format('ALTER %s OWNER TO sluice_owner', v_each);
    END LOOP;
    PERFORM roles_grant();
END $$;
COMMENT ON FUNCTION roles_setup IS '`sluiced migrate --roles`: makes the roles that are missing, gives sluice_owner what the schema''s owner had, and the others their rights. Changes nothing the second time.';
REVOKE ALL ON FUNCTION roles_grant, roles_setup FROM PUBLIC;
