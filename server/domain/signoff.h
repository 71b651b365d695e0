/* domain/signoff.h: when a person's decision counts. */
#pragma once
#include "base/json.h"

/* What sign-offs are about now. */
struct signoff_about {
    const char *content_digest,
        *checklist;        /* checklist: TEMPLATE@VERSION, "" where none is asked */
    const json_t *authors; /* [{subject, issuer, did}]: who may not approve; NULL: nobody */
};
/* What {subject, issuer} did so that they may not approve: "created the release"; NULL: they may.
 */
const char *signoff_author(const json_t *authors, const char *subject, const char *issuer);
/* Why it does not count: "content-changed", "checklist-changed", "self-approval"; NULL: it does.
 * signoff: {decision, subject, issuer, content_digest, checklist}.  A reject of this content
 * counts whoever gives it and whatever the checklist is now. */
const char *signoff_void(const json_t *signoff, const struct signoff_about *about);
