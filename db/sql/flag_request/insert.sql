-- Changes of flags are asked for, bound to what they rely on now.  No row: too many requests are open there.
-- param:  id uuid
-- param:  environment_id uuid
-- param:  changes jsonb
-- param:  reason text
-- param:  requested_by jsonb
-- param:  open_max bigint
-- column: id uuid
INSERT INTO flag_request (id, app, environment, environment_id, changes, bound, reason, requested_by)
SELECT $1, e.app, e.name, e.id, $3, flag_request_bound(e.app, e.id, $3), $4, $5
FROM environment e
WHERE e.id = $2
  AND (SELECT count(*) FROM flag_request r
       WHERE r.environment_id = $2 AND r.ended IS NULL AND r.expires_at > clock_timestamp()) < $6
RETURNING id;
