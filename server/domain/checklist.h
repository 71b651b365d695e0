/* domain/checklist.h: what people may say about an item of a checklist, and what is answered of it.
 * Items are those of the gate's facts (domain/gate.h). */
#pragma once
#include "base/json.h"
#include <stdbool.h>
#include <stdint.h>

enum { WAIVER_DAYS_MAX = 90 };

/* The body of PUT …/items/{key}. */
struct item_said {
    const char *state; /* open, passed, failed, waived */
    const char *note, *person, *reason, *role;
    const json_t *evidence; /* {url, summary} */
    int64_t expires_s, expires_us;
};

/* What is wrong with it, whatever the item: adds {field, code, detail} rows to errors. */
void checklist_said_check(const struct item_said *said, int64_t now_us, json_t *errors);
/* What is wrong with it for this item.  before: of a release; else of a deployment. */
void checklist_item_check(const struct item_said *said, const json_t *item, bool before,
                          json_t *errors);
/* Until when it counts; 0: for ever. */
int64_t checklist_expiry(const struct item_said *said, const json_t *item, int64_t now_us);

/* Borrowed; NULL: there is none of that key. */
const json_t *checklist_item(const json_t *items, const char *key);
/* Every required item is passed or waived. */
bool checklist_complete(const json_t *items, int64_t max_age_s, int64_t now_us);
/* As the API answers them; yours. */
json_t *checklist_item_json(const json_t *item, int64_t max_age_s, int64_t now_us);
json_t *checklist_groups_json(const json_t *items, int64_t max_age_s, int64_t now_us);
