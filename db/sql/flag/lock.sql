-- The first statement of every transaction that changes flags or segments of an app: others wait until it ends.
-- param:  app text
-- column: revision bigint
INSERT INTO flag_head (app) VALUES ($1)
ON CONFLICT (app) DO UPDATE SET revision = flag_head.revision
RETURNING revision;
