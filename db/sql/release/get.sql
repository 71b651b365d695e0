-- One release.
-- param:  app text
-- param:  version_key text
-- column: id uuid
-- column: app text
-- column: version text
-- column: version_key text
-- column: image text
-- column: digest text
-- column: commit text
-- column: notes text
-- column: manifests text
-- column: migrations jsonb
-- column: flags jsonb
-- column: source jsonb
-- column: content_digest text
-- column: created_by jsonb
-- column: created_at timestamptz
-- column: yanked_at timestamptz
-- column: yank_reason text
SELECT id, app, version, version_key, image, digest, commit, notes, manifests, migrations, flags, source,
       content_digest, created_by, created_at, yanked_at, yank_reason
FROM release
WHERE app = $1 AND version_key = $2;
