-- What the last write to each shared object of an environment left of it.
-- param:  environment_id uuid
-- column: kind text
-- column: name text
-- column: comparable text
-- column: resource_version text
-- column: age_us bigint
SELECT kind, name, comparable, resource_version, age_us(at) AS age_us FROM left_behind WHERE environment_id = $1 ORDER BY kind DESC, name;
