-- One tick of the runner as one transaction: design.md §3.

CREATE FUNCTION tick_commit(p_environment uuid, p_deployment uuid, p_epoch bigint, p_holder bigint, c jsonb)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_chain  text;
    v_record jsonb;
BEGIN
    -- law 4: the commit of the cut-over is serialised with every change of a gate fact
    IF c ? 'cutover' OR c ? 'end' THEN
        UPDATE environment SET gate_version = gate_version + 1, cutover = cutover + (c ? 'end')::int
        WHERE id = p_environment;
    END IF;
    PERFORM 1 FROM environment_lease
    WHERE environment_id = p_environment AND epoch = p_epoch AND holder = p_holder FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        IF c ? 'cutover' OR c ? 'end' THEN
            RAISE EXCEPTION 'lease lost' USING ERRCODE = 'SL001';
        END IF;
        RETURN false;
    END IF;
    -- a clean-up gives way to a deployment that has begun meanwhile
    IF c ? 'idle' AND EXISTS (SELECT 1 FROM deployment WHERE environment_id = p_environment
                              AND state IN ('running', 'paused', 'undoing', 'stuck')) THEN
        RETURN false;
    END IF;
    UPDATE intent i SET result = r->>'result', resource_version = r->>'resource_version', result_at = clock_timestamp()
    FROM jsonb_array_elements(c->'results') r WHERE i.op = (r->>'op')::uuid AND (i.result IS NULL OR r->>'result' = 'void');
    UPDATE step s SET
        state = r->>'state', detail = r->>'detail',
        attempt = s.attempt + (s.started_at IS NULL OR r ? 'again')::int,
        started_at = coalesce(s.started_at, clock_timestamp()),
        ended_at = CASE WHEN r->>'state' IN ('done', 'failed', 'undone', 'skipped') THEN clock_timestamp() END
    FROM jsonb_array_elements(c->'steps') r
    WHERE s.deployment_id = p_deployment AND s.name = r->>'name';
    UPDATE deployment SET
        plan = CASE WHEN c ? 'resolved' THEN plan || jsonb_build_object('resolved', c->'resolved') ELSE plan END,
        state = coalesce(c->>'state', state),
        job = coalesce(c->>'job', job),
        current_step = coalesce(c->>'current_step', current_step),
        failure = coalesce(c->'failure', failure),
        confirmed_at = CASE WHEN c ? 'confirmed' THEN coalesce(confirmed_at, clock_timestamp()) ELSE confirmed_at END,
        ended_at = CASE WHEN c ? 'end' THEN clock_timestamp() ELSE ended_at END
    WHERE id = p_deployment;
    INSERT INTO intent (op, deployment_id, job, step, purpose, kind, name, write, epoch)
    SELECT (r->>'op')::uuid, p_deployment, r->>'job', r->>'step', r->>'purpose', r->>'kind', r->>'name', r->'write',
           p_epoch
    FROM jsonb_array_elements(c->'intents') r;
    IF c ? 'cleanup_any' THEN
        UPDATE cleanup SET template_hash = '' WHERE environment_id = p_environment AND color = c->>'cleanup_any';
    END IF;
    IF c ? 'left' THEN
        PERFORM left_store(p_environment, p_deployment, c->'left');
    END IF;
    IF c ? 'cleaned' OR c ? 'cleanup' THEN
        DELETE FROM cleanup WHERE environment_id = p_environment;
    END IF;
    IF jsonb_typeof(c->'cleanup') = 'object' THEN
        INSERT INTO cleanup (environment_id, deployment_id, color, workload, uid, template_hash, due_at)
        VALUES (p_environment, p_deployment, c->'cleanup'->>'color', c->'cleanup'->>'workload', c->'cleanup'->>'uid',
                c->'cleanup'->>'template_hash', clock_timestamp() + (c->'cleanup'->>'after_s')::bigint * interval '1 second');
    END IF;
    IF c ? 'epoch' THEN -- of an object that a lost history left ahead: later holders begin above it
        UPDATE environment_lease SET epoch = greatest(epoch, (c->>'epoch')::bigint) WHERE environment_id = p_environment;
    END IF;
    IF c ? 'end' OR c ? 'release' THEN
        UPDATE environment_lease SET holder = NULL, until = NULL WHERE environment_id = p_environment;
    END IF;
    SELECT app || '/' || environment INTO v_chain FROM deployment WHERE id = p_deployment;
    FOR v_record IN SELECT r FROM jsonb_array_elements(c->'records') WITH ORDINALITY AS t(r, n) ORDER BY n LOOP
        PERFORM record_append(v_chain, '{"kind": "service", "subject": "sluiced", "issuer": "sluice"}', 'worker',
                              v_record->>'action', p_deployment::text, v_record->>'message',
                              coalesce(v_record->'data', '{}'), p_deployment);
    END LOOP;
    RETURN true;
END $$;
COMMENT ON FUNCTION tick_commit IS 'Locks the lease, compares epoch and holder (false: drop everything), stores results, steps, state, the next intent and the records.';

-- How long ago, by the one clock that all replicas share; -1: never.
CREATE FUNCTION age_us(at timestamptz) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN at IS NULL THEN -1 ELSE greatest(extract(epoch FROM clock_timestamp() - at) * 1000000, 0)::bigint END
$$;

CREATE FUNCTION lease_is_free(l environment_lease) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT l.holder IS NULL OR l.until < clock_timestamp()
        OR NOT EXISTS (SELECT 1 FROM pg_locks k
                       WHERE k.locktype = 'advisory' AND k.classid = 1397510483 AND k.objid = l.holder::oid
                         AND k.objsubid = 2 AND k.granted
                         AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
$$;
COMMENT ON FUNCTION lease_is_free IS 'Nobody holds it, it expired, or its holder''s process is dead: nobody holds the advisory lock of its number.';
