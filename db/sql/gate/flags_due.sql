-- Environments whose gates may look at flags, of apps whose flags were changed since they were looked at.
-- param:  limit bigint
-- column: environment_id uuid
-- column: revision bigint
SELECT g.environment_id, h.revision
FROM environment_gate g
JOIN environment e ON e.id = g.environment_id
JOIN flag_head h ON h.app = e.app
WHERE h.revision > g.flags AND g.spec -> 'checklist' ->> 'before' IS NOT NULL
LIMIT $1;
