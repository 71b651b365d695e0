-- Changes of a flag or a segment, newest first: of its definition, and of what it is in one environment, or in all.
-- param:  app text
-- param:  kind text
-- param:  name text
-- param:  environment text
-- param:  after_revision bigint
-- param:  after_environment text
-- param:  limit bigint
-- column: position text
-- column: revision bigint
-- column: kind text
-- column: environment text
-- column: action text
-- column: source text
-- column: by jsonb
-- column: reason text
-- column: before jsonb
-- column: after jsonb
-- column: at timestamptz
SELECT c.revision || '/' || c.environment AS position, c.revision, c.kind, nullif(c.environment, '') AS environment,
       c.action, c.source, c.by, c.reason, b.after AS before, c.after, c.at
FROM flag_change c
LEFT JOIN flag_change b ON b.app = c.app AND b.revision = c.before AND b.kind = c.kind AND b.name = c.name
                       AND b.environment = c.environment
WHERE c.app = $1 AND c.name = $3 AND (c.kind = $2 OR $2 = 'flag' AND c.kind = 'environment')
  AND ($4::text IS NULL OR c.environment = $4 OR c.environment = '')
  AND ($5::bigint IS NULL OR (c.revision, c.environment) < ($5, $6::text))
ORDER BY c.revision DESC, c.environment DESC
LIMIT $7;
