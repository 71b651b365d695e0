-- Freezes are to be lifted: as soon as somebody else confirms it.
-- param:  id uuid
-- param:  environment_id uuid
-- param:  reason text
-- param:  duration_s int
-- param:  requested_by jsonb
INSERT INTO break_glass (id, environment_id, reason, duration_s, requested_by) VALUES ($1, $2, $3, $4, $5);
