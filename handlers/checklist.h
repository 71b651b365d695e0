/* handlers/checklist.h: a checklist as its readers and those who tick it have it. */
#pragma once
#include "db/checklist.h"
#include "handlers/answer.h"

struct checklist {
    const char *app, *version, *environment;
    struct checklist_of of;
    struct db_rows *rows; /* template, version, items, max_age_s */
    json_t *items;
};
/* {checklist} of the path: "after" or "success".  Refuses E_INVALID_PATH. */
MUSTCHECK Status path_checklist(const struct request *q, const char **ret, struct reply *r);
/* After rows were read.  Refuses E_NOT_FOUND: none is asked for. */
MUSTCHECK Status checklist_read(struct checklist *c, struct reply *r);
/* A checklist belongs to a release.  Refuses E_NOT_FOUND where the deployment has none. */
MUSTCHECK Status checklist_of_deployment(struct checklist *c, const struct db_rows *deployment,
                                         struct reply *r);
void checklist_done(struct checklist *c); /* NULL-safe, idempotent */
static inline void checklist_done_cleanup(struct checklist *c) {
    checklist_done(c);
}
