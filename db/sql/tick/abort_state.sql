-- param:  deployment_id uuid
-- column: state text
-- column: kind text
-- column: app text
-- column: environment text
-- column: environment_id uuid
SELECT state, kind, app, environment, environment_id FROM deployment WHERE id = $1 FOR NO KEY UPDATE;
