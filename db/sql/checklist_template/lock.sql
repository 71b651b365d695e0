-- Law 4: the first statement of the transaction that adds a version of a template: locks, in the order of gate/lock.sql, the
-- environments whose gates name it, where releases without a checklist in use see the newest version.
-- param:  name text
-- column: id uuid
WITH locked AS (
    SELECT e.id FROM environment e JOIN environment_gate g ON g.environment_id = e.id
    WHERE g.spec -> 'checklist' ->> 'before' = $1 OR g.spec -> 'checklist' ->> 'after' = $1
    ORDER BY e.id FOR NO KEY UPDATE OF e
)
UPDATE environment e SET gate_version = gate_version + 1 FROM locked l WHERE e.id = l.id
RETURNING e.id;
