-- The heads of all chains at one moment: one statement sees one snapshot.
-- column: name text
-- column: length bigint
-- column: head text
SELECT name, length, head
FROM chain
WHERE length > 0
ORDER BY name COLLATE "C";
