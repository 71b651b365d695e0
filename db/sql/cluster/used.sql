-- Whether environments live in a cluster.
-- param:  name text
-- column: used bool
SELECT EXISTS (SELECT FROM environment WHERE cluster = $1) AS used;
