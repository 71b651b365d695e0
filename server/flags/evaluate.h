/* flags/evaluate.h: what a flag is for somebody.
 *
 * Pure: no I/O, no clock, no allocation, no lock; any thread.  Semantics: Unleash's
 * (docs/flags.md). The kill switch is looked at first and nothing goes past it. */
#pragma once
#include "flags/compile.h"
#include "flags/context.h"

typedef enum FlagReason {
    FLAG_STATIC,          /* the same for everybody */
    FLAG_TARGETING_MATCH, /* constraints, segments, lists or other flags decided */
    FLAG_SPLIT,           /* a percentage or weights decided */
    FLAG_DISABLED,        /* switched off or killed */
} FlagReason;
const char *flag_reason_word(FlagReason reason); /* OFREP's */

struct flag_result {
    bool enabled;
    const struct flag_variant *variant; /* NULL: none, which Unleash calls "disabled" */
    FlagReason reason;
    /* JSON text of the flag's value type; NULL: it has none, the application's default counts.  Off
     * (and on without a payload): what default_variant says. */
    const char *value;
    /* A percentage or weights asked for somebody and the context names nobody, so that chance or
     * "no" decided: OFREP's TARGETING_KEY_MISSING. */
    bool key_missing;
};

/* How many bytes flag_context.memo has for f.  For one flag it is not worth it. */
size_t flag_memo_size(const struct flags *f);
/* `flag` is one of f's. */
struct flag_result flag_evaluate(const struct flags *f, const struct flag *flag,
                                 const struct flag_context *context);
