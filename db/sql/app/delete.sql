-- Deletes an app; its environments refuse it by their foreign key.
-- param:  name text
DELETE FROM app WHERE name = $1;
