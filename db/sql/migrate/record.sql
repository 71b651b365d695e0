-- Notes that a migration was applied, in its own transaction.
-- param:  version int
-- param:  name text
-- param:  sha256 text
INSERT INTO schema_migration (version, name, sha256) VALUES ($1, $2, $3);
