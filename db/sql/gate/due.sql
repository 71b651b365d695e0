-- Gates that are to be looked at again, the longest due first.
-- param:  limit bigint
-- column: environment_id uuid
-- column: release_id uuid
-- column: version_key text
SELECT s.environment_id, s.release_id, r.version_key
FROM gate_state s JOIN release r ON r.id = s.release_id
WHERE s.look_at <= clock_timestamp()
ORDER BY s.look_at
LIMIT $1;
