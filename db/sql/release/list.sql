-- The releases of an app, newest first by precedence; manifests are left out.
-- param:  app text
-- param:  precedence bytea
-- param:  version_key text
-- param:  limit bigint
-- column: id uuid
-- column: app text
-- column: version text
-- column: version_key text
-- column: image text
-- column: digest text
-- column: commit text
-- column: notes text
-- column: migrations jsonb
-- column: flags jsonb
-- column: source jsonb
-- column: content_digest text
-- column: created_by jsonb
-- column: created_at timestamptz
-- column: yanked_at timestamptz
-- column: yank_reason text
SELECT id, app, version, version_key, image, digest, commit, notes, migrations, flags, source,
       content_digest, created_by, created_at, yanked_at, yank_reason
FROM release
WHERE app = $1 AND ($2 IS NULL OR (precedence, version_key) < ($2, $3))
ORDER BY precedence DESC, version_key DESC
LIMIT $4;
