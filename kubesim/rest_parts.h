/* kubesim/rest_parts.h: the verbs of the Kubernetes API, and what they share.  Private to rest*.c.
 */
#pragma once
#include "kubesim/rest.h"

/* Each answers the call. */
void rest_get(struct sim *sim, struct call *call, const struct target *t);
void rest_list(struct sim *sim, struct call *call, const struct target *t);
void rest_watch(struct sim *sim, struct call *call, const struct target *t);
void rest_write(struct sim *sim, struct call *call, const struct target *t);
void rest_review(struct call *call); /* a SelfSubjectAccessReview: there is one user, who may all */

void rest_text(struct call *call, unsigned code, const char *text, size_t n);
void rest_object(struct call *call, unsigned code, struct object *o); /* takes the reference */
/* Notes the answer 200 and gives the call's note up, for a stream; false when a fault drops it. */
bool rest_release(struct call *call);
/* Whether the query says yes to `name`. */
bool rest_flag(const struct call *call, const char *name);
/* The selectors of the query, yours, NULL where there are none; false when it has been refused. */
bool rest_selection(struct call *call, json_t **ret_selector, json_t **ret_fields);
