-- One person approves a request.  No row: that one did before.
-- param:  id uuid
-- param:  by jsonb
-- param:  note text
-- column: request_id uuid
INSERT INTO flag_request_approval (request_id, by, note) VALUES ($1, $2, $3)
ON CONFLICT (request_id, issuer, subject) DO NOTHING
RETURNING request_id;
