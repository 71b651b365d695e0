-- One deployment with its steps, what it changed of flags, and the waivers that were ever given: of its release in its
-- environment, and of itself.
-- param:  id uuid
-- column: id uuid
-- column: environment_id uuid
-- column: app text
-- column: environment text
-- column: version text
-- column: strategy text
-- column: kind text
-- column: state text
-- column: reason text
-- column: requested_by jsonb
-- column: from jsonb
-- column: to jsonb
-- column: current_step text
-- column: failure jsonb
-- column: acceptance text
-- column: rolled_back_by uuid
-- column: rollback_of uuid
-- column: confirmed_at timestamptz
-- column: created_at timestamptz
-- column: started_at timestamptz
-- column: ended_at timestamptz
-- column: steps json
-- column: release_id uuid
-- column: waivers json
-- column: flags json
SELECT d.id, d.environment_id, d.app, d.environment, d.version, d.strategy, d.kind, d.state, d.reason, d.requested_by,
       d.plan -> 'from' AS "from", d.plan -> 'target' AS "to", d.current_step, d.failure, d.acceptance,
       d.rolled_back_by, d.rollback_of, d.confirmed_at, d.created_at, d.started_at, d.ended_at,
       (SELECT json_agg(json_build_object(
                   'name', s.name, 'title', s.title, 'state', s.state, 'attempt', s.attempt,
                   'started_at', to_char(s.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                   'ended_at', to_char(s.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                   'detail', s.detail) ORDER BY s.ordinal)
        FROM step s WHERE s.deployment_id = d.id) AS steps,
       d.release_id,
       (SELECT coalesce(json_agg(json_build_object(
                   'item', f.item, 'checklist', f.kind, 'reason', f.reason, 'role', f.role, 'by', json_build_object(
                       'kind', f.by -> 'kind', 'subject', f.by -> 'subject', 'issuer', f.by -> 'issuer'),
                   'at', to_char(f.observed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                   'expires_at', to_char(f.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) ORDER BY f.number), '[]')
        FROM item_fact f
        WHERE f.release_id = d.release_id AND f.state = 'waived'
          AND (f.deployment_id = d.id OR f.kind = 'before' AND f.environment_id = d.environment_id)) AS waivers,
       (SELECT coalesce(json_agg(json_build_object(
                   'flag', f.flag, 'at', f.at, 'state', CASE WHEN f.due THEN 'restoring' ELSE f.state END,
                   'revision', nullif(f.revision, 0), 'note', f.note) ORDER BY f.revision, f.flag), '[]')
        FROM deployment_flag f WHERE f.deployment_id = d.id) AS flags
FROM deployment d
WHERE d.id = $1;
