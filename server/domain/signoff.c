#include "domain/signoff.h"
#include <string.h>

static bool same(const json_t *object, const char *key, const char *text) {
    const char *there = json_str(object, key, NULL);

    return there && text && strcmp(there, text) == 0;
}

const char *signoff_author(const json_t *authors, const char *subject, const char *issuer) {
    const json_t *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)authors, i,
                       one) if (same(one, "subject", subject) && same(one, "issuer", issuer)) {
        return json_str(one, "did", "?");
    }
    return NULL;
}

const char *signoff_void(const json_t *signoff, const struct signoff_about *about) {
    if (!same(signoff, "content_digest", about->content_digest))
        return "content-changed";
    if (same(signoff, "decision", "reject"))
        return NULL; /* whoever gave it, until they take it back: what closes is not forgotten */
    if (!same(signoff, "checklist", about->checklist))
        return "checklist-changed";
    if (signoff_author(about->authors, json_str(signoff, "subject", NULL),
                       json_str(signoff, "issuer", NULL)))
        return "self-approval";
    return NULL;
}
