-- Everything that an environment's flags are evaluated with, as flags/model.h has it.  No row: no such environment.
-- It is read after every change, and to parse it is most of what a change costs: what is as it is by itself (off, none, a release
-- flag, boolean) is left out.  json, because to gather as jsonb costs twice as much, and flag_stale written out.
-- param:  app text
-- param:  environment text
-- column: environment_id uuid
-- column: revision bigint
-- column: document json
SELECT e.id AS environment_id, flag_revision(e.app, e.name) AS revision, json_build_object(
           'flags', (SELECT coalesce(json_agg(jsonb_strip_nulls(f.spec - 'stale_after' || jsonb_build_object(
                                'name', f.name,
                                'type', nullif(f.spec -> 'type', '"release"'), 'value_type', nullif(f.spec -> 'value_type', '"boolean"'),
                                'stale', nullif((f.spec ->> 'stale_after')::timestamptz <= clock_timestamp(), false),
                                'enabled', nullif(s.enabled, false), 'killed', nullif(s.killed, false),
                                'strategies', nullif(s.spec -> 'strategies', '[]'),
                                'default_variant', s.spec -> 'default_variant',
                                'impression_data', nullif(f.spec -> 'impression_data', 'false'),
                                'variants', nullif(f.spec -> 'variants', '[]'),
                                'dependencies', nullif(f.spec -> 'dependencies', '[]'))) ORDER BY f.name), '[]')
                     FROM flag f LEFT JOIN flag_environment s ON s.environment_id = e.id AND s.flag = f.name
                     WHERE f.app = e.app),
           'segments', (SELECT coalesce(json_agg(jsonb_build_object('name', g.name, 'constraints', g.spec -> 'constraints')
                                                 ORDER BY g.name), '[]')
                        FROM segment g WHERE g.app = e.app)) AS document
FROM environment e
WHERE e.app = $1 AND e.name = $2;
