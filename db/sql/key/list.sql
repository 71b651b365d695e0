-- Keys by id, oldest first, with the secrets that count but for what is secret; apps: those that the caller reaches, null
-- for all; id: that one only, null for all.
-- param:  after uuid
-- param:  apps text[]
-- param:  limit bigint
-- param:  id uuid
-- column: id uuid
-- column: name text
-- column: kind text
-- column: principal_kind text
-- column: roles_json json
-- column: apps_json json
-- column: environment text
-- column: created_by jsonb
-- column: created_at timestamptz
-- column: expires_at timestamptz
-- column: last_used_at timestamptz
-- column: secrets jsonb
SELECT id, name, kind, principal_kind, to_json(roles) AS roles_json, to_json(apps) AS apps_json, environment,
       created_by, created_at, expires_at, last_used_at,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'slot', slot, 'created_us', (extract(epoch FROM s.created_at) * 1000000)::bigint,
                   'expires_us', (extract(epoch FROM s.expires_at) * 1000000)::bigint) ORDER BY slot), '[]')
        FROM key_secret s
        WHERE s.key_id = key.id AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())) AS secrets
FROM key
WHERE ($1 IS NULL OR id > $1) AND ($2 IS NULL OR apps <@ $2) AND ($4 IS NULL OR id = $4)
ORDER BY id
LIMIT $3;
