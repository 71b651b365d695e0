-- Requests of an environment, newest first: one by its id (with its changes), or all, or those in a state.
-- param:  app text
-- param:  environment text
-- param:  id uuid
-- param:  state text
-- param:  after uuid
-- param:  limit bigint
-- column: id uuid
-- column: environment_id uuid
-- column: state text
-- column: flags jsonb
-- column: changes jsonb
-- column: reason text
-- column: requested_by jsonb
-- column: requested_at timestamptz
-- column: expires_at timestamptz
-- column: needed int
-- column: approvals jsonb
-- column: stale jsonb
-- column: ended_by jsonb
-- column: ended_at timestamptz
-- column: note text
-- column: revision bigint
SELECT r.id, r.environment_id, s.state, jsonb_path_query_array(r.changes, '$[*].flag') AS flags,
       CASE WHEN $3::uuid IS NOT NULL THEN r.changes END AS changes, r.reason, r.requested_by, r.requested_at, r.expires_at,
       flag_request_needed(r) AS needed,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('by', a.by, 'note', a.note, 'at_us', (extract(epoch FROM a.at) * 1000000)::bigint)
                                  ORDER BY a.at), '[]')
        FROM flag_request_approval a WHERE a.request_id = r.id) AS approvals,
       flag_request_stale(r) AS stale, r.ended_by, r.ended_at, r.note, r.revision
FROM environment e JOIN flag_request r ON r.environment_id = e.id,
     LATERAL (SELECT flag_request_state(r, clock_timestamp()) AS state) s
WHERE e.app = $1 AND e.name = $2
  AND ($3::uuid IS NULL OR r.id = $3) AND ($4::text IS NULL OR s.state = $4) AND ($5::uuid IS NULL OR r.id < $5)
ORDER BY r.id DESC
LIMIT $6;
