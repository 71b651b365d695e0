-- Schedules of a flag in an environment, newest first: one by its id, or all, or those in a state.
-- param:  environment_id uuid
-- param:  flag text
-- param:  id uuid
-- param:  state text
-- param:  after uuid
-- param:  limit bigint
-- column: id uuid
-- column: at timestamptz
-- column: change jsonb
-- column: if_revision bigint
-- column: reason text
-- column: state text
-- column: failure text
-- column: revision bigint
-- column: created_by jsonb
-- column: created_at timestamptz
-- column: ended_by jsonb
-- column: ended_at timestamptz
SELECT id, at, change, if_revision, reason, state, failure, revision, created_by, created_at, ended_by, ended_at
FROM flag_schedule
WHERE environment_id = $1 AND flag = $2
  AND ($3::uuid IS NULL OR id = $3) AND ($4::text IS NULL OR state = $4) AND ($5::uuid IS NULL OR id < $5)
ORDER BY id DESC
LIMIT $6;
