-- The probe "flags" of a checklist: whether feature flags are configured appropriately for a release.

CREATE INDEX flag_stale_after ON flag (app, (spec ->> 'stale_after')) WHERE spec ->> 'stale_after' IS NOT NULL;
COMMENT ON INDEX flag_stale_after IS 'All its times are stored in one form, whose order as text is that of time.';
CREATE INDEX flag_environment_killed ON flag_environment (environment_id) WHERE killed;

ALTER TABLE environment_gate ADD COLUMN flags bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN environment_gate.flags IS 'The revision of the app''s flags with which the gates were looked at last.';

-- The gate is asked within the commit of a cut-over: one plan is kept, which goes by indexes however many flags there are.
CREATE FUNCTION flags_probe(p_environment uuid, p_release uuid) RETURNS jsonb LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_app      text := (SELECT e.app FROM environment e WHERE e.id = p_environment);
    v_declared text[] := ARRAY(SELECT DISTINCT c ->> 'flag' FROM release r, jsonb_array_elements(r.flags) c WHERE r.id = p_release);
    v_now      timestamptz := clock_timestamp();
    v_text     text := to_char(v_now AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
    v_stale    text; -- when the next one will be
    v_wrong    text[];
BEGIN
    WITH met AS NOT MATERIALIZED ( -- what the release names, and what is on where it goes
        SELECT f.name AS flag, f.spec ->> 'stale_after' AS stale_after FROM flag f
        WHERE f.app = v_app
          AND (f.name = ANY (v_declared)
               OR (SELECT s.enabled FROM flag_environment s WHERE s.environment_id = p_environment AND s.flag = f.name))
    ), made AS ( -- the last change of each flag by the deployment of the release that runs
        SELECT DISTINCT ON (m.flag) m.flag, m.revision, c -> 'set' AS set
        FROM deployment d
        JOIN deployment_flag m ON m.deployment_id = d.id AND m.state <> 'restored'
        JOIN release r ON r.id = d.release_id
        JOIN jsonb_array_elements(r.flags) c ON c ->> 'flag' = m.flag AND c ->> 'at' = m.at
        WHERE d.environment_id = p_environment AND d.release_id = p_release
          AND d.state IN ('running', 'paused', 'undoing', 'stuck')
        ORDER BY m.flag, m.revision DESC
    ), wrong AS (
        SELECT d.flag, 'does not exist' AS why FROM unnest(v_declared) d (flag)
        WHERE NOT EXISTS (SELECT FROM flag f WHERE f.app = v_app AND f.name = d.flag)
        UNION ALL
        SELECT s.flag, 'is killed' FROM flag_environment s WHERE s.environment_id = p_environment AND s.killed
        UNION ALL
        SELECT t.flag, 'is stale since ' || left(t.stale_after, 10) FROM met t WHERE t.stale_after <= v_text
        UNION ALL
        SELECT m.flag, 'is not what the deployment made of it'
        FROM made m
        LEFT JOIN flag_environment s ON s.environment_id = p_environment AND s.flag = m.flag,
             LATERAL (SELECT jsonb_build_object('enabled', s.enabled) || s.spec AS live) l
        WHERE s.revision IS DISTINCT FROM m.revision AND (s.flag IS NULL OR l.live || m.set <> l.live)
    )
    SELECT (SELECT min(t.stale_after) FROM met t WHERE t.stale_after > v_text),
           (SELECT array_agg(w.flag || ' ' || w.why ORDER BY w.flag, w.why) FROM wrong w)
    INTO v_stale, v_wrong;
    RETURN jsonb_build_object(
        'state', CASE WHEN v_wrong IS NULL THEN 'passed' ELSE 'failed' END,
        'observed_us', (extract(epoch FROM v_now) * 1000000)::bigint,
        'expires_us', CASE WHEN v_wrong IS NULL THEN (extract(epoch FROM v_stale::timestamptz) * 1000000)::bigint END,
        'evidence', false, 'source', 'sluice',
        'summary', CASE WHEN v_wrong IS NULL THEN format('%s declared; no kill switch is engaged, and none is stale', cardinality(v_declared))
                        ELSE array_to_string(v_wrong[:10], '; ')
                             || CASE WHEN cardinality(v_wrong) > 10 THEN format('; and %s more', cardinality(v_wrong) - 10) ELSE '' END END);
END $$;
COMMENT ON FUNCTION flags_probe IS 'A fact of the gate: passed where every flag that the release declares exists, none is killed in the environment, none that is declared or on is stale, and what its deployment made of flags still is so.';

CREATE OR REPLACE FUNCTION checklist_probe(p_probe text, p_environment uuid, p_release uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE p_probe WHEN 'flags' THEN flags_probe(p_environment, p_release) END;
END $$;

-- The lease before the flags, as every verb and tick that changes flags has them.
CREATE FUNCTION gate_hold_flags(p_environment uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF gate_spec(p_environment) -> 'checklist' ->> 'before' IS NULL THEN
        RETURN false;
    END IF;
    PERFORM FROM environment_lease l WHERE l.environment_id = p_environment FOR NO KEY UPDATE;
    PERFORM FROM flag_head h JOIN environment e ON e.app = h.app WHERE e.id = p_environment FOR SHARE OF h;
    RETURN true;
END $$;
COMMENT ON FUNCTION gate_hold_flags IS 'Law 4: until this transaction ends nobody changes flags that the environment''s gates may look at. False: they look at none.';
