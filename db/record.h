/* db/record.h: the audit chain, which is also the event stream. */
#pragma once
#include "db/db.h"

struct record_entry {
    const char *app, *environment; /* chain: "system" without an app, APP, or APP/ENV */
    const char *actor;             /* JSON object text: {"kind","subject","issuer"} */
    const char *from;              /* where from: a remote address, or "worker" */
    const char *action;            /* "deployment.created" */
    const char *subject;           /* what it is about: "inopnc/production", a version, a deployment's id … */
    const char *message;           /* one sentence for people */
    const char *data;              /* JSON object text or NULL for {} */
    const char *deployment_id;     /* NULL when it is about none */
};
/* Appends.  The last statement of its transaction; entries of several chains in the chains' name order. */
MUSTCHECK Status record_append(struct db_tx *tx, const struct record_entry *e);
