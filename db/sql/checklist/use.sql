-- The checklist that an environment asks for, of a release (before) or of a deployment (after), as it is used from now on:
-- with the first fact it keeps the version of its template.  No row: none is asked for, or its template is not there.
-- param:  id uuid
-- param:  kind text
-- param:  environment_id uuid
-- param:  release_id uuid
-- param:  deployment_id uuid
-- column: template text
-- column: version int
WITH asked AS (
    SELECT template, version FROM checklist_asked($2, $3, $4, $5)
), made AS (
    INSERT INTO checklist (id, kind, environment_id, release_id, deployment_id, template, version)
    SELECT $1, $2, $3, $4, $5, template, version FROM asked
    ON CONFLICT DO NOTHING
)
SELECT template, version FROM asked;
