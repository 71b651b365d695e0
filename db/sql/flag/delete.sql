-- Deletes a flag, with what it is in every environment.
-- param:  app text
-- param:  name text
DELETE FROM flag WHERE app = $1 AND name = $2;
