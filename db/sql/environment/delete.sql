-- Deletes an environment, with its lease and its claims on objects.
-- param:  id uuid
DELETE FROM environment WHERE id = $1;
