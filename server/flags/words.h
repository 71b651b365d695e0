/* flags/words.h: the operators and strategies that there are, and what each takes.  Private to
 * flags/. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef enum OperatorKind {
    KIND_SET,    /* IN, NOT_IN: equal to one of the values */
    KIND_TEXT,   /* STR_…: any of the values */
    KIND_NUMBER, /* the others compare with one value */
    KIND_DATE,
    KIND_VERSION,
    KIND_REGEX,
    KIND_NETWORK, /* IN_CIDR: in one of the values */
} OperatorKind;

typedef enum OperatorTest {
    TEST_EQ,
    TEST_GT,
    TEST_GTE,
    TEST_LT,
    TEST_LTE,
    TEST_NOT, /* equal to none */
    TEST_STARTS,
    TEST_ENDS,
    TEST_CONTAINS,
} OperatorTest;

struct operator_row {
    const char *name;
    OperatorKind kind;
    OperatorTest test;
    bool takes_values; /* `values`; else `value` */
    bool folds;        /* case_insensitive has a meaning */
};
/* NULL: there is none. */
const struct operator_row *operator_named(const char *name);

typedef enum StrategyKind {
    STRATEGY_DEFAULT,
    STRATEGY_FLEXIBLE,
    STRATEGY_USER_IDS,
    STRATEGY_ADDRESSES,
    STRATEGY_HOSTNAMES,
    STRATEGY_GRADUAL_USER,
    STRATEGY_GRADUAL_SESSION,
    STRATEGY_GRADUAL_RANDOM,
    STRATEGY_UNKNOWN, /* somebody's own: nobody matches it */
} StrategyKind;

typedef enum ParameterKind {
    PARAMETER_PERCENTAGE,
    PARAMETER_NAME,     /* a field of the context, or a group */
    PARAMETER_LIST,     /* "a, b" */
    PARAMETER_NETWORKS, /* "127.0.0.1, 10.0.0.0/8" */
} ParameterKind;

struct parameter_row {
    const char *name;
    ParameterKind kind;
    bool required;
};
enum { STRATEGY_PARAMETERS = 3 };
struct strategy_row {
    const char *name;
    StrategyKind kind;
    struct parameter_row parameters[STRATEGY_PARAMETERS]; /* up to the first without a name */
};
/* NULL: there is none. */
const struct strategy_row *strategy_named(const char *name);
const struct parameter_row *strategy_parameter(const struct strategy_row *row, const char *name);
