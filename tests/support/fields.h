/* tests/support/fields.h: what a rule of domain/ or flags/ found, as one text. */
#pragma once
#include "base/cleanup.h"
#include "base/json.h"

/* One member of each error, a blank between; "" where nothing is wrong; yours. */
static inline char *errors_text(const json_t *errors, const char *member) {
    char *text = xstrdup("");
    const json_t *e;
    size_t i;

    json_array_foreach(errors, i, e) {
        _cleanup_free_ char *before = text;

        text = xasprintf("%s%s%s", before, *before ? " " : "", json_str(e, member, "?"));
    }
    return text;
}

/* The pointers of the errors, "/a /b/0"; "" where nothing is wrong; yours. */
static inline char *fields_of(const json_t *errors) {
    return errors_text(errors, "field");
}
