-- Environments with work whose lease may be taken, the urgent first.
-- param:  most bigint
-- column: environment_id uuid
-- column: urgent bool
SELECT d.environment_id, d.job = 'undo' AS urgent
FROM deployment d JOIN environment_lease l ON l.environment_id = d.environment_id
WHERE d.state IN ('running', 'undoing') AND lease_is_free(l)
ORDER BY 2 DESC, d.id LIMIT $1;
