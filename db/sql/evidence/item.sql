-- An item of a version of a template; no row: it has none of that key.
-- param:  template text
-- param:  version int
-- param:  item text
-- column: item jsonb
SELECT i.item
FROM checklist_template t, jsonb_array_elements(t.groups) g ("group"), jsonb_array_elements(g."group" -> 'items') i (item)
WHERE t.name = $1 AND t.version = $2 AND i.item ->> 'key' = $3;
