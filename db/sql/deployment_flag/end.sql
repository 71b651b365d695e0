-- A change was taken back, or is left as it is.
-- param:  deployment_id uuid
-- param:  flag text
-- param:  at text
-- param:  state text
-- param:  note text
UPDATE deployment_flag SET due = false, state = $4, note = $5
WHERE deployment_id = $1 AND flag = $2 AND at = $3;
