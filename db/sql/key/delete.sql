-- Deletes a key with its secrets.
-- param:  id uuid
DELETE FROM key WHERE id = $1;
