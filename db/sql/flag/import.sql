-- Makes flags, what they are in an environment, and segments what an import says, as one revision with its history; this
-- transaction holds the lock.
-- param:  app text
-- param:  revision bigint
-- param:  environment_id uuid
-- param:  environment text
-- param:  changes jsonb
-- param:  by jsonb
-- param:  reason text
WITH head AS (
    UPDATE flag_head SET revision = $2 WHERE app = $1
), change AS MATERIALIZED (
    SELECT c.kind, c.name, c.after, coalesce(f.revision, s.revision, g.revision) AS before
    FROM jsonb_to_recordset($5) c (kind text, name text, after jsonb)
    LEFT JOIN flag f ON c.kind = 'flag' AND f.app = $1 AND f.name = c.name
    LEFT JOIN flag_environment s ON c.kind = 'environment' AND s.environment_id = $3 AND s.flag = c.name
    LEFT JOIN segment g ON c.kind = 'segment' AND g.app = $1 AND g.name = c.name
), segments AS (
    INSERT INTO segment (app, name, spec, revision)
    SELECT $1, name, after, $2 FROM change WHERE kind = 'segment'
    ON CONFLICT (app, name) DO UPDATE SET spec = excluded.spec, revision = excluded.revision, updated_at = clock_timestamp()
), flags AS (
    INSERT INTO flag (app, name, spec, revision)
    SELECT $1, name, after, $2 FROM change WHERE kind = 'flag'
    ON CONFLICT (app, name) DO UPDATE SET spec = excluded.spec, revision = excluded.revision, updated_at = clock_timestamp()
), states AS (
    INSERT INTO flag_environment (environment_id, app, flag, enabled, killed, spec, revision)
    SELECT $3, $1, name, (after -> 'enabled')::boolean, (after -> 'killed')::boolean, after - '{enabled,killed}'::text[], $2
    FROM change WHERE kind = 'environment'
    ON CONFLICT (environment_id, flag) DO UPDATE
        SET enabled = excluded.enabled, killed = excluded.killed, spec = excluded.spec, revision = excluded.revision,
            updated_at = clock_timestamp()
)
INSERT INTO flag_change (app, revision, kind, name, environment, action, source, by, reason, before, after)
SELECT $1, $2, kind, name, CASE kind WHEN 'environment' THEN $4 ELSE '' END, 'flag.imported', 'import', $6, $7, before, after
FROM change;
