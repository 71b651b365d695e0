-- Flags that are another thing in one environment than in the other, by name.
-- param:  app text
-- param:  from_id uuid
-- param:  to_id uuid
-- param:  after text
-- param:  limit bigint
-- column: flag text
-- column: before jsonb
-- column: after jsonb
SELECT flag, before, after
FROM flag_diff($1, $2, $3)
WHERE $4::text IS NULL OR flag > $4
ORDER BY flag
LIMIT $5;
