-- The chains by name, with their heads.
-- param:  after text
-- param:  apps text[]
-- param:  limit bigint
-- column: name text
-- column: length bigint
-- column: head text
SELECT name, length, head
FROM chain
WHERE name > $1 AND ($2 IS NULL OR split_part(name, '/', 1) = ANY ($2) AND name <> 'system')
ORDER BY name
LIMIT $3;
