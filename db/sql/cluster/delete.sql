-- Deletes a cluster; its environments refuse it by their foreign key.
-- param:  name text
DELETE FROM cluster WHERE name = $1;
