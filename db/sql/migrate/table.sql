-- What was applied, by whom it is read: migrate.c.
CREATE TABLE IF NOT EXISTS schema_migration (
    version    int PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
