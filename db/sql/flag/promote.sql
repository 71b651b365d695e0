-- Makes flags of an environment what they are in another one: all that differ, or some, as one revision with its history;
-- this transaction holds the lock.
-- param:  app text
-- param:  revision bigint
-- param:  from_id uuid
-- param:  to_id uuid
-- param:  flags text[]
-- param:  environment text
-- param:  by jsonb
-- param:  reason text
-- column: flag text
WITH head AS (
    UPDATE flag_head SET revision = $2 WHERE app = $1
), diff AS MATERIALIZED (
    SELECT * FROM flag_diff($1, $3, $4) WHERE $5::text[] IS NULL OR flag = ANY ($5)
), put AS (
    INSERT INTO flag_environment (environment_id, app, flag, enabled, killed, spec, revision)
    SELECT $4, $1, flag, (after -> 'enabled')::boolean, (after -> 'killed')::boolean, after - '{enabled,killed}'::text[], $2
    FROM diff
    ON CONFLICT (environment_id, flag) DO UPDATE
        SET enabled = excluded.enabled, spec = excluded.spec, revision = excluded.revision, updated_at = clock_timestamp()
), noted AS (
    INSERT INTO flag_change (app, revision, kind, name, environment, action, source, by, reason, before, after)
    SELECT $1, $2, 'environment', flag, $6, 'flag.promoted', 'promote', $7, $8, revision, after FROM diff
    RETURNING name
)
SELECT name AS flag FROM noted ORDER BY name;
