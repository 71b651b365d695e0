-- The gates of an environment are looked at with the flags as they are since this revision.
-- param:  environment_id uuid
-- param:  revision bigint
UPDATE environment_gate SET flags = $2 WHERE environment_id = $1;
