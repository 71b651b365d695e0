-- The version that serves in an environment, as far as rows know; null: none that is known.
-- param:  environment_id uuid
-- column: version text
SELECT serving_version($1) AS version;
