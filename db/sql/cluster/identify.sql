-- Keeps the uid of a cluster that was reached for the first time.
-- param:  name text
-- param:  revision bigint
-- param:  uid text
UPDATE cluster SET uid = $3 WHERE name = $1 AND revision = $2 AND uid IS NULL;
