-- A blocked deployment was looked at and goes on waiting.
-- param:  deployment_id uuid
-- param:  gate_version bigint
-- param:  look_at timestamptz
UPDATE gate_wait SET gate_version = $2, look_at = $3 WHERE deployment_id = $1;
