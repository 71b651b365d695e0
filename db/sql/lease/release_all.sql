-- Gives every lease of one holder back.
-- param:  holder bigint
UPDATE environment_lease SET holder = NULL, until = NULL WHERE holder = $1;
