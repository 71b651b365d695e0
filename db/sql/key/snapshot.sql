-- Every secret that counts, with whom it speaks for.
-- column: id uuid
-- column: name text
-- column: principal_kind text
-- column: roles_json json
-- column: apps_json json
-- column: environment text
-- column: slot int
-- column: kek text
-- column: sealed bytea
-- column: digest bytea
-- column: expires_at timestamptz
SELECT k.id, k.name, k.principal_kind, to_json(k.roles) AS roles_json, to_json(k.apps) AS apps_json, k.environment,
       s.slot, s.kek, s.sealed, s.digest, least(k.expires_at, s.expires_at) AS expires_at
FROM key k JOIN key_secret s ON s.key_id = k.id
WHERE (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
  AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
ORDER BY k.id, s.slot;
