#include "flags/words.h"
#include <string.h>

// clang-format off
static const struct operator_row operators[] = {
    {"IN",              KIND_SET,     TEST_EQ,       true,  false},
    {"NOT_IN",          KIND_SET,     TEST_NOT,      true,  false},
    {"STR_STARTS_WITH", KIND_TEXT,    TEST_STARTS,   true,  true},
    {"STR_ENDS_WITH",   KIND_TEXT,    TEST_ENDS,     true,  true},
    {"STR_CONTAINS",    KIND_TEXT,    TEST_CONTAINS, true,  true},
    {"NUM_EQ",          KIND_NUMBER,  TEST_EQ,       false, false},
    {"NUM_GT",          KIND_NUMBER,  TEST_GT,       false, false},
    {"NUM_GTE",         KIND_NUMBER,  TEST_GTE,      false, false},
    {"NUM_LT",          KIND_NUMBER,  TEST_LT,       false, false},
    {"NUM_LTE",         KIND_NUMBER,  TEST_LTE,      false, false},
    {"DATE_AFTER",      KIND_DATE,    TEST_GT,       false, false},
    {"DATE_BEFORE",     KIND_DATE,    TEST_LT,       false, false},
    {"SEMVER_EQ",       KIND_VERSION, TEST_EQ,       false, false},
    {"SEMVER_GT",       KIND_VERSION, TEST_GT,       false, false},
    {"SEMVER_GTE",      KIND_VERSION, TEST_GTE,      false, false},
    {"SEMVER_LT",       KIND_VERSION, TEST_LT,       false, false},
    {"SEMVER_LTE",      KIND_VERSION, TEST_LTE,      false, false},
    {"REGEX",           KIND_REGEX,   TEST_EQ,       false, true},
    {"IN_CIDR",         KIND_NETWORK, TEST_EQ,       true,  false},
};

#define PERCENTAGE {"percentage", PARAMETER_PERCENTAGE, true}
#define GROUP      {"groupId",    PARAMETER_NAME,       false}
static const struct strategy_row strategies[] = {
    {"default",                 STRATEGY_DEFAULT,         {{0}}},
    {"flexibleRollout",         STRATEGY_FLEXIBLE,        {{"rollout", PARAMETER_PERCENTAGE, true}, GROUP, {"stickiness", PARAMETER_NAME, false}}},
    {"userWithId",              STRATEGY_USER_IDS,        {{"userIds", PARAMETER_LIST, true}}},
    {"remoteAddress",           STRATEGY_ADDRESSES,       {{"IPs", PARAMETER_NETWORKS, true}}},
    {"applicationHostname",     STRATEGY_HOSTNAMES,       {{"hostNames", PARAMETER_LIST, true}}},
    {"gradualRolloutUserId",    STRATEGY_GRADUAL_USER,    {PERCENTAGE, GROUP}},
    {"gradualRolloutSessionId", STRATEGY_GRADUAL_SESSION, {PERCENTAGE, GROUP}},
    {"gradualRolloutRandom",    STRATEGY_GRADUAL_RANDOM,  {PERCENTAGE, GROUP}},
}; // clang-format on

const struct operator_row *operator_named(const char *name) {
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strcmp(operators[i].name, name) == 0)
            return &operators[i];
    return NULL;
}

const struct strategy_row *strategy_named(const char *name) {
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++)
        if (strcmp(strategies[i].name, name) == 0)
            return &strategies[i];
    return NULL;
}

const struct parameter_row *strategy_parameter(const struct strategy_row *row, const char *name) {
    for (size_t i = 0; i < STRATEGY_PARAMETERS && row->parameters[i].name; i++)
        if (strcmp(row->parameters[i].name, name) == 0)
            return &row->parameters[i];
    return NULL;
}
