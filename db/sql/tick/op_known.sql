-- Whether an op found on an object is one of ours.
-- param:  op text
-- column: known bool
SELECT EXISTS (SELECT 1 FROM intent WHERE op::text = $1) AS known;
