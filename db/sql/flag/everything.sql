-- All that is said about an environment's flags, as flags/model.h has it: what is exported, and what an import is compared
-- with.  A flag that nobody spoke of there has no `enabled`.  No row: no such environment.
-- param:  app text
-- param:  environment text
-- column: environment_id uuid
-- column: revision bigint
-- column: head bigint
-- column: document json
SELECT e.id AS environment_id, flag_revision(e.app, e.name) AS revision,
       coalesce((SELECT h.revision FROM flag_head h WHERE h.app = e.app), 0) AS head, json_build_object(
           'flags', (SELECT coalesce(json_agg(f.spec || jsonb_build_object('name', f.name, 'stale', flag_stale(f.spec))
                                              || coalesce(jsonb_build_object('enabled', s.enabled, 'killed', s.killed) || s.spec, '{}')
                                              ORDER BY f.name), '[]')
                     FROM flag f LEFT JOIN flag_environment s ON s.environment_id = e.id AND s.flag = f.name
                     WHERE f.app = e.app),
           'segments', (SELECT coalesce(json_agg(g.spec || jsonb_build_object('name', g.name) ORDER BY g.name), '[]')
                        FROM segment g WHERE g.app = e.app)) AS document
FROM environment e
WHERE e.app = $1 AND e.name = $2;
