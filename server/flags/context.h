/* flags/context.h: who asks, and under which circumstances.
 *
 * Fields have Unleash's names: userId, sessionId, remoteAddress, environment, appName, currentTime,
 * and whatever a constraint names.  All but the environment is looked for in `objects`, in their
 * order; userId there may also be called targetingKey.  Of OFREP that is its context, of
 * Unleash its context and the `properties` within.  There strings, numbers and booleans count, as
 * text; null, arrays and objects do not, nor does a text longer than FLAG_VALUE_MAX. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLAG_VALUE_MAX = 4096, FLAG_CONTEXT_OBJECTS = 2 };

struct flag_context { /* borrowed */
    const char *environment;
    const json_t *objects[FLAG_CONTEXT_OBJECTS];
    int64_t now_us;   /* the current time where the context names none */
    uint64_t *random; /* never NULL: state of hash_random, for what goes by chance; of one thread */
    /* NULL, or flag_memo_size() zeroed bytes: what was found for this context, so that many flags
     * look only once.  Of one set of flags and one context, which does not change meanwhile. */
    void *memo;
};

typedef enum FieldId {
    FIELD_ID_USER,
    FIELD_ID_SESSION,
    FIELD_ID_ADDRESS,
    FIELD_ID_ENVIRONMENT,
    FIELD_ID_APP,
    FIELD_ID_TIME,
    FIELD_ID_HOST,
    FIELD_ID_OTHER,
} FieldId;
struct context_field {
    const char *name;
    FieldId id;
    unsigned index; /* of the memo's values */
};
extern const struct context_field context_known[FIELD_ID_OTHER]; /* by FieldId */

/* The fields that a set of flags names, each once. */
struct context_fields {
    struct arena *arena;
    json_t *others; /* name → index; owned */
    unsigned n;
};
void context_fields_init(struct context_fields *f, struct arena *arena);
void context_fields_done(struct context_fields *f); /* what was made of it stays */
struct context_field context_field(struct context_fields *f, const char *name);

struct context_value {
    const char *text; /* NUL-terminated; in the context, or in `made` */
    size_t n;
    char made[40];
};
/* A value of the memo. */
struct context_found {
    struct context_value value;
    bool looked, there;
};

/* NULL: there is none.  In the memo, or in `room`. */
const struct context_value *context_get(const struct flag_context *c,
                                        const struct context_field *field,
                                        struct context_value *room);
/* The current time as the context gives it, else now_us; false: it gives none that is a time. */
bool context_time(const struct flag_context *c, int64_t *ret_us);
