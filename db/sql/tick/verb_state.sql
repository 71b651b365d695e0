-- param:  deployment_id uuid
-- column: state text
-- column: kind text
-- column: job text
-- column: app text
-- column: environment text
-- column: environment_id uuid
-- column: current_step text
-- column: pause_requested bool
SELECT state, kind, job, app, environment, environment_id, current_step, pause_requested
FROM deployment WHERE id = $1 FOR NO KEY UPDATE;
