-- The migrations that this database carries.
-- column: version int
-- column: name text
-- column: sha256 text
SELECT version, name, sha256 FROM schema_migration ORDER BY version;
