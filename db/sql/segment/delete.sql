-- Deletes a segment.
-- param:  app text
-- param:  name text
DELETE FROM segment WHERE app = $1 AND name = $2;
