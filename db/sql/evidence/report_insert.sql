-- The report that evidence was read from, as it came.
-- param:  id uuid
-- param:  release_id uuid
-- param:  media_type text
-- param:  bytes bigint
-- param:  sha256 text
-- param:  gzip bytea
INSERT INTO report (id, release_id, media_type, bytes, sha256, gzip) VALUES ($1, $2, $3, $4, $5, $6);
