-- Opens what was asked for.  No row: it was confirmed before, or waited too long.
-- param:  id uuid
-- param:  confirmed_by jsonb
-- column: id uuid
UPDATE break_glass b SET confirmed_by = $2, confirmed_at = t.now, until = t.now + b.duration_s * interval '1 second'
FROM (SELECT clock_timestamp() AS now) t
WHERE b.id = $1 AND break_glass_state(b, t.now) = 'requested'
RETURNING b.id;
