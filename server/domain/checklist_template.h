/* domain/checklist_template.h: templates of checklists: rules that types and ranges alone cannot
 * say, and the full form. */
#pragma once
#include "base/json.h"

enum { TEMPLATE_GROUPS_MAX = 20, TEMPLATE_GROUP_ITEMS_MAX = 100, TEMPLATE_ITEMS_MAX = 200 };

/* Adds {field, code, detail} rows to errors.  The groups' types and ranges hold already. */
void checklist_template_check(const json_t *groups, json_t *errors);
/* The groups in the order of api.md, with `required`; yours.  Of stored ones the same. */
json_t *checklist_template_groups(const json_t *groups);
