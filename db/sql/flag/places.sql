-- Two environments of an app, and how far their flags are: always one row, ids null where there is none.
-- param:  app text
-- param:  from text
-- param:  to text
-- column: from_id uuid
-- column: to_id uuid
-- column: from_revision bigint
-- column: to_revision bigint
SELECT (SELECT id FROM environment WHERE app = $1 AND name = $2) AS from_id,
       (SELECT id FROM environment WHERE app = $1 AND name = $3) AS to_id,
       flag_revision($1, $2) AS from_revision, flag_revision($1, $3) AS to_revision;
