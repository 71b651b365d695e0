-- Whether this database was ever migrated.
-- column: found bool
SELECT to_regclass('schema_migration') IS NOT NULL AS found;
