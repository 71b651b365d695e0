-- A change that is to be made at a time.  No row: the time is over, or more than a year away, or too many wait already.
-- param:  id uuid
-- param:  environment_id uuid
-- param:  flag text
-- param:  at timestamptz
-- param:  change jsonb
-- param:  if_revision bigint
-- param:  reason text
-- param:  created_by jsonb
-- param:  pending_max bigint
-- column: id uuid
INSERT INTO flag_schedule (id, app, environment, environment_id, flag, flag_created_at, at, change, if_revision, reason, created_by)
SELECT $1, e.app, e.name, e.id, f.name, f.created_at, $4, $5, $6, $7, $8
FROM environment e JOIN flag f ON f.app = e.app AND f.name = $3
WHERE e.id = $2 AND $4 > clock_timestamp() AND $4 <= clock_timestamp() + interval '366 days'
  AND (SELECT count(*) FROM flag_schedule s WHERE s.environment_id = $2 AND s.flag = $3 AND s.state = 'pending') < $9
RETURNING id;
