-- param:  deployment_id uuid
UPDATE deployment SET pause_requested = true WHERE id = $1;
