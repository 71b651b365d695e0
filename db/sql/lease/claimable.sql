-- Environments with work whose lease may be taken, the urgent first.
-- param:  most bigint
-- column: environment_id uuid
-- column: urgent bool
SELECT w.environment_id, w.urgent
FROM (SELECT environment_id, id, job = 'undo' OR kind = 'rollback' AS urgent FROM deployment
      WHERE state IN ('running', 'undoing')
      UNION ALL
      SELECT c.environment_id, c.deployment_id, false FROM cleanup c
      WHERE c.due_at <= clock_timestamp() AND NOT c.awaits_final
        AND NOT EXISTS (SELECT 1 FROM deployment a WHERE a.environment_id = c.environment_id
                        AND a.state IN ('running', 'paused', 'undoing', 'stuck'))) w
JOIN environment_lease l ON l.environment_id = w.environment_id
WHERE lease_is_free(l)
ORDER BY 2 DESC, w.id LIMIT $1;
