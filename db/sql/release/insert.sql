-- A new release; no row when this version exists.
-- param:  id uuid
-- param:  app text
-- param:  version text
-- param:  version_key text
-- param:  precedence bytea
-- param:  image text
-- param:  digest text
-- param:  commit text
-- param:  notes text
-- param:  manifests text
-- param:  migrations jsonb
-- param:  flags jsonb
-- param:  source jsonb
-- param:  content_digest text
-- param:  created_by jsonb
-- column: id uuid
INSERT INTO release (id, app, version, version_key, precedence, image, digest, commit, notes, manifests, migrations,
                     flags, source, content_digest, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT DO NOTHING
RETURNING id;
