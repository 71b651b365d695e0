-- One signed request, once.  No row: it was here before, or is being served right now.
-- param:  key_id text
-- param:  nonce text
-- param:  created bigint
-- column: nonce text
INSERT INTO nonce (key_id, nonce, created) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING nonce;
