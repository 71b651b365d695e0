/* flags/model.h: the native form of flags, and what its parts may hold.
 *
 * The document of an environment, as the evaluator compiles it (flags/compile.h):
 *   {"flags": [{"name", "type", "description", "value_type", "impression_data", "stale", "enabled",
 *               "killed", "variants": [VARIANT], "strategies": [STRATEGY], "default_variant",
 *               "dependencies": [{"flag", "enabled", "variants": [name]}],
 *               "stale_after", "requires_release"}],
 *    "segments": [{"name", "description", "constraints": [CONSTRAINT]}]}
 * What is last of a flag, and descriptions, say nothing to the evaluator.
 * Strategies, operators and stickiness have Unleash's names and semantics (docs/flags.md).
 *
 * Each check adds {field, code, detail} rows to errors, FLAG_ERRORS_MAX at most.  It looks at
 * everything, types and unknown keys too, and takes any JSON.  `at` is the pointer to what it is
 * given ("/strategies").  An absent part (NULL) is in order.  Pure: any thread. */
#pragma once
#include "base/json.h"
#include "base/status.h"
#include <stdbool.h>

enum {
    FLAG_NAME_MAX = 100, /* bytes */
    FLAG_TEXT_MAX = 1024,
    FLAG_PAYLOAD_MAX = 32 * 1024,
    FLAG_PARAMETER_MAX = 100 * 1024, /* a list of users */
    FLAG_WEIGHT_MAX = 100000,
    FLAG_VARIANTS_MAX = 100,
    FLAG_STRATEGIES_MAX = 100,
    FLAG_CONSTRAINTS_MAX = 100,
    FLAG_SEGMENTS_MAX = 20,      /* of a strategy */
    FLAG_VALUES_MAX = 100000,    /* of IN, NOT_IN, IN_CIDR */
    FLAG_TEXT_VALUES_MAX = 1000, /* of STR_…, which try them one by one */
    FLAG_DEPENDENCIES_MAX = 20,
    FLAG_ERRORS_MAX = 20,
    FLAGS_MAX = 10000, /* of an environment */
};
#define FLAG_TYPES       "release|experiment|operational|kill-switch|permission"
#define FLAG_VALUE_TYPES "boolean|string|number|object"

/* Whether flags and segments may have this name: letters, digits and . _ ~ -, beginning with a
 * letter or a digit. */
bool flag_name_valid(const char *name);
#define FLAG_NAME_LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define FLAG_NAME_CHARACTERS FLAG_NAME_LETTERS "._~-"

/* value_type: what payloads have to be; NULL: anything. */
void flag_variants_check(const json_t *variants, const char *value_type, const char *at,
                         json_t *errors);
/* Of an environment's flag.  value_type as above, for the variants of strategies. */
void flag_strategies_check(const json_t *strategies, const char *value_type, const char *at,
                           json_t *errors);
/* Of a segment. */
void flag_constraints_check(const json_t *constraints, const char *at, json_t *errors);
/* That a flag names itself is refused; what others it may name: flag_model_check. */
void flag_dependencies_check(const json_t *dependencies, const char *flag, const char *at,
                             json_t *errors);
/* default_variant: one of the flag's variants, or null. */
void flag_default_variant_check(const json_t *default_variant, const json_t *variants,
                                const char *at, json_t *errors);
/* A whole document: each name once, segments and flags that are named exist, a flag that others
 * depend on depends on none (so that there is no cycle). */
void flag_model_check(const json_t *document, json_t *errors);
