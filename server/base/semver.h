/* base/semver.h: semantic versions 2.0.0 (semver.org), with the optional v that tags carry. */
#pragma once
#include "base/status.h"
#include <stdbool.h>

enum {
    SEMVER_TEXT = 129, /* the longest version and its NUL */
    SEMVER_PRECEDENCE = 2 * SEMVER_TEXT + 8,
};

struct semver {
    char key[SEMVER_TEXT]; /* without the v: v1.2.3 and 1.2.3 are one release.  Build metadata stays
                            */
    /* Bytes whose order (memcmp, the shorter first) is the order of precedence; build metadata does
     * not count (semver.org §10, §11). */
    unsigned char precedence[SEMVER_PRECEDENCE];
    size_t precedence_len;
};

/* false when `text` is no semantic version (or longer than 128 bytes). */
bool semver_parse(const char *text, struct semver *ret);
/* <0, 0, >0 by precedence. */
int semver_compare(const struct semver *a, const struct semver *b);
