-- Law 4: the first statement of every transaction that changes a gate fact.  Of one environment (by its id), of an app's
-- (one of that name, or all), or of all; in one order, so that two such transactions never wait for each other in a circle.
-- param:  environment_id uuid
-- param:  app text
-- param:  environment text
-- column: id uuid
-- column: app text
-- column: name text
WITH locked AS (
    SELECT id FROM environment
    WHERE id = ANY (CASE WHEN $1::uuid IS NOT NULL THEN ARRAY[$1::uuid] -- by one index, whatever is given
                         ELSE ARRAY(SELECT e.id FROM environment e
                                    WHERE ($2::text IS NULL OR e.app = $2) AND ($3::text IS NULL OR e.name = $3)) END)
    ORDER BY id FOR NO KEY UPDATE
), raised AS (
    UPDATE environment e SET gate_version = gate_version + 1 FROM locked l WHERE e.id = l.id RETURNING e.id, e.app, e.name
)
SELECT id, app, name FROM raised ORDER BY app, name;
