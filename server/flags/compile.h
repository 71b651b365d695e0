/* flags/compile.h: the flags of an environment, ready to be asked.
 *
 * One immutable object in an arena of its own: any number of threads may read it, and it is freed
 * at once.  It keeps nothing of the document. */
#pragma once
#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>

struct flags;

typedef enum FlagValueType { FLAG_BOOLEAN, FLAG_STRING, FLAG_NUMBER, FLAG_OBJECT } FlagValueType;

/* JSON that never changes, written once. */
struct flag_json {
    const char *text;
    size_t n;
};
struct flag_variant {
    const char *name;
    struct flag_json name_json;
    const char *payload_type, *payload; /* as given; NULL: it has none */
    /* The payload as JSON text: a string of string and csv, the value itself of number and json.
     * NULL: there is none, or it is not what its type says. */
    const char *value;
};
struct flag {
    const char *name, *type;
    FlagValueType value_type;
    bool impression_data, stale, enabled, killed;
    struct flag_json members; /* "key" and "metadata", as OFREP has them */
};

/* Of any JSON: what is not as flags/model.h has it evaluates to "off" or "nobody".  Yours. */
struct flags *flags_compile(const json_t *document);
void flags_free(struct flags *f); /* NULL-safe */
size_t flags_count(const struct flags *f);
const struct flag *flags_at(const struct flags *f, size_t i); /* in the document's order */
/* NULL: there is none; of two of the same name the first. */
const struct flag *flags_find(const struct flags *f, const char *name);
