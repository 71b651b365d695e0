-- A report about a release.
-- param:  release_id uuid
-- param:  id uuid
-- column: media_type text
-- column: bytes bigint
-- column: sha256 text
-- column: gzip bytea
SELECT media_type, bytes, sha256, gzip FROM report WHERE release_id = $1 AND id = $2;
