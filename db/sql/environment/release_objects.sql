-- Gives up an environment's claims on Services and workloads.
-- param:  id uuid
DELETE FROM environment_object WHERE environment_id = $1;
