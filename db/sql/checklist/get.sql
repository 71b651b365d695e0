-- A checklist with what was said about its items (server/domain/gate.h has their form).  No row: none is asked for.
-- param:  kind text
-- param:  environment_id uuid
-- param:  release_id uuid
-- param:  deployment_id uuid
-- column: template text
-- column: version int
-- column: items jsonb
-- column: max_age_s bigint
SELECT c.template, c.version, c.items, coalesce((gate_spec($2) ->> 'evidence_max_age_s')::bigint, 0) AS max_age_s
FROM checklist_filled($1, $2, $3, $4) c;
