-- Takes the right to send the next checkpoint, for so long; no row when there is none to send now.
-- param:  hold_s bigint
-- column: number bigint
-- column: hash text
-- column: note text
UPDATE checkpoint_delivery AS d
SET next_at = clock_timestamp() + make_interval(secs => $1)
FROM checkpoint AS c
WHERE d.next_at <= clock_timestamp() AND c.number = (SELECT min(number) FROM checkpoint WHERE number > d.sent)
RETURNING c.number, c.hash, c.note;
