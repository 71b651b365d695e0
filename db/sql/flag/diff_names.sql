-- Which flags are another thing in one environment than in the other: all, or of some.
-- param:  app text
-- param:  from_id uuid
-- param:  to_id uuid
-- param:  flags text[]
-- column: flag text
SELECT flag FROM flag_diff($1, $2, $3) WHERE $4::text[] IS NULL OR flag = ANY ($4) ORDER BY flag;
