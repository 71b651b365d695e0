-- Freezes, newest first: one by its id, or those of whoever reaches some apps (and those of all), by what they name.
-- next: the window that holds now, else the one to come.
-- param:  id uuid
-- param:  apps text[]
-- param:  app text
-- param:  environment text
-- param:  active bool
-- param:  after uuid
-- param:  limit bigint
-- column: id uuid
-- column: app text
-- column: environment text
-- column: reason text
-- column: starts_at timestamptz
-- column: ends_at timestamptz
-- column: weekly jsonb
-- column: let_running_finish bool
-- column: active bool
-- column: next_starts_at timestamptz
-- column: next_ends_at timestamptz
-- column: over bool
-- column: created_by jsonb
-- column: created_at timestamptz
-- column: ended_at timestamptz
-- column: ended_by jsonb
SELECT f.id, f.app, f.environment, f.reason, f.starts_at, f.ends_at, f.weekly, f.let_running_finish,
       coalesce(w.next @> t.now, false) AS active, lower(w.next) AS next_starts_at, upper(w.next) AS next_ends_at,
       w.next IS NULL AS over, f.created_by, f.created_at, f.ended_at, f.ended_by
FROM (SELECT clock_timestamp() AS now) t, change_freeze f, LATERAL freeze_next(f, t.now) w (next)
WHERE ($1::uuid IS NULL OR f.id = $1)
  AND ($2::text[] IS NULL OR f.app IS NULL OR f.app = ANY ($2))
  AND ($3::text IS NULL OR f.app = $3)
  AND ($4::text IS NULL OR f.environment = $4)
  AND ($5::boolean IS NULL OR coalesce(w.next @> t.now, false) = $5)
  AND ($6::uuid IS NULL OR f.id < $6)
ORDER BY f.id DESC
LIMIT $7;
