-- The namespaces of a cluster that environments live in.
-- param:  name text
-- param:  limit bigint
-- column: namespace text
SELECT DISTINCT namespace FROM environment WHERE cluster = $1 ORDER BY namespace LIMIT $2;
