-- Gives one lease back.
-- param:  environment_id uuid
-- param:  epoch bigint
-- param:  holder bigint
UPDATE environment_lease SET holder = NULL, until = NULL WHERE environment_id = $1 AND epoch = $2 AND holder = $3;
