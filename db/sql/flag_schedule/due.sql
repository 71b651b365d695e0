-- Schedules whose time has come, in the order of their times.
-- param:  limit bigint
-- column: id uuid
-- column: app text
-- column: environment text
-- column: environment_id uuid
-- column: flag text
SELECT id, app, environment, environment_id, flag
FROM flag_schedule
WHERE state = 'pending' AND at <= clock_timestamp()
ORDER BY at, id
LIMIT $1;
