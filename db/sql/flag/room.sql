-- How many flags and segments an app has.
-- param:  app text
-- column: flags bigint
-- column: segments bigint
SELECT (SELECT count(*) FROM flag WHERE app = $1) AS flags, (SELECT count(*) FROM segment WHERE app = $1) AS segments;
