-- The epoch that the next holder of an environment's lease would get.
-- param:  environment_id uuid
-- column: epoch bigint
SELECT coalesce((SELECT epoch FROM environment_lease WHERE environment_id = $1), 0) + 1 AS epoch;
