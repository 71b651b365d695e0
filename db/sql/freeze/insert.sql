-- A freeze: one window, or one each week.
-- param:  id uuid
-- param:  app text
-- param:  environment text
-- param:  reason text
-- param:  starts_at timestamptz
-- param:  ends_at timestamptz
-- param:  weekly jsonb
-- param:  let_running_finish bool
-- param:  created_by jsonb
INSERT INTO change_freeze (id, app, environment, reason, starts_at, ends_at, weekly, let_running_finish, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);
