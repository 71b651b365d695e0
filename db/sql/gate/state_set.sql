-- Notes what the gate says now; the row when that is another answer than before.
-- param:  environment_id uuid
-- param:  release_id uuid
-- param:  open bool
-- param:  look_at timestamptz
-- column: was bool
WITH old AS (
    SELECT open FROM gate_state WHERE environment_id = $1 AND release_id = $2 FOR NO KEY UPDATE
), new AS (
    INSERT INTO gate_state (environment_id, release_id, open, look_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (environment_id, release_id) DO UPDATE SET open = excluded.open, look_at = excluded.look_at
)
SELECT coalesce((SELECT open FROM old), false) AS was WHERE coalesce((SELECT open FROM old), false) <> $3;
