-- What the last write to each shared object of an environment left of it.
-- param:  environment_id uuid
-- column: kind text
-- column: name text
-- column: comparable text
-- column: resource_version text
-- column: at timestamptz
SELECT kind, name, comparable, resource_version, at FROM left_behind WHERE environment_id = $1 ORDER BY kind DESC, name;
