-- One change, under a revision that this transaction has to itself (it holds the lock); several may share it.
-- param:  app text
-- param:  revision bigint
-- param:  kind text
-- param:  name text
-- param:  environment text
-- param:  action text
-- param:  source text
-- param:  by jsonb
-- param:  reason text
-- param:  before bigint
-- param:  after jsonb
WITH head AS (UPDATE flag_head SET revision = $2 WHERE app = $1 AND revision < $2)
INSERT INTO flag_change (app, revision, kind, name, environment, action, source, by, reason, before, after)
VALUES ($1, $2, $3, $4, coalesce($5, ''), $6, $7, $8, $9, $10, $11);
