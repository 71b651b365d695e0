-- How far the flags of every environment are, for whoever keeps what they were compiled to.  An environment that was made
-- again under its name has another id.
-- column: app text
-- column: environment text
-- column: environment_id uuid
-- column: revision bigint
SELECT app, name AS environment, id AS environment_id, flag_revision(app, name) AS revision
FROM environment
ORDER BY app, name;
