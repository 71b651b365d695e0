-- A new key, without a secret yet.
-- param:  id uuid
-- param:  name text
-- param:  kind text
-- param:  principal_kind text
-- param:  roles text[]
-- param:  apps text[]
-- param:  environment text
-- param:  created_by jsonb
-- param:  expires_at timestamptz
INSERT INTO key (id, name, kind, principal_kind, roles, apps, environment, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);
