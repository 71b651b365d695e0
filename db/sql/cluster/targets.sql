-- What the environments of a cluster name there.
-- param:  name text
-- param:  limit bigint
-- column: namespace text
-- column: service text
-- column: blue text
-- column: green text
-- column: manifests bool
SELECT namespace, COALESCE(spec #>> '{blue_green,service}', '') AS service,
       COALESCE(spec #>> '{blue_green,colors,blue,deployment}', '') AS blue,
       COALESCE(spec #>> '{blue_green,colors,green,deployment}', '') AS green, manifests IS NOT NULL AS manifests
FROM environment WHERE cluster = $1 ORDER BY environment.namespace, app, name LIMIT $2;
