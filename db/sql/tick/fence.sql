-- Whoever holds the environment's lease is fenced off: the next holder has another epoch.
-- param:  environment_id uuid
INSERT INTO environment_lease (environment_id) VALUES ($1)
ON CONFLICT (environment_id) DO UPDATE SET epoch = environment_lease.epoch + 1, holder = NULL, until = NULL;
