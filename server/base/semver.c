/* base/semver.c: releases are listed newest first by precedence, which the database has to do
 * page by page; so precedence is turned into bytes that sort by themselves.
 *
 *   number      its count of digits (one byte), then the digits: no leading zeros, so longer is
 * more identifier  1 and a number, or 2, the text and a 0: numeric before alphanumeric version
 * three numbers, then the identifiers of the pre-release and a 0, or a 3 for none: fewer
 * identifiers before more, any pre-release before the release */
#include "base/semver.h"
#include <string.h>

enum { END_OF_PRERELEASE = 0, NUMERIC = 1, ALPHANUMERIC = 2, NO_PRERELEASE = 3 };

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

static bool identifier_char(char c) {
    return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

static void put(struct semver *v, unsigned char byte) {
    v->precedence[v->precedence_len++] = byte;
}

static void put_text(struct semver *v, const char *text, size_t n) {
    memcpy(v->precedence + v->precedence_len, text, n);
    v->precedence_len += n;
}

/* A number without leading zeros at *at; moves *at behind it. */
static bool take_number(const char **at, struct semver *v) {
    size_t n = 0;

    while (digit((*at)[n]))
        n++;
    if (n == 0 || (n > 1 && (*at)[0] == '0'))
        return false;
    put(v, (unsigned char)n);
    put_text(v, *at, n);
    *at += n;
    return true;
}

/* The length of the identifier at `at`; 0 when there is none. */
static size_t identifier(const char *at, bool *ret_numeric) {
    size_t n = 0;

    *ret_numeric = true;
    for (; identifier_char(at[n]); n++)
        if (!digit(at[n]))
            *ret_numeric = false;
    return n;
}

static bool take_prerelease(const char **at, struct semver *v) {
    do {
        bool numeric;
        size_t n = identifier(++*at, &numeric);

        if (n == 0)
            return false;
        put(v, numeric ? NUMERIC : ALPHANUMERIC);
        if (numeric) {
            if (!take_number(at, v))
                return false;
        } else {
            put_text(v, *at, n);
            put(v, 0);
            *at += n;
        }
    } while (**at == '.');
    put(v, END_OF_PRERELEASE);
    return true;
}

static bool take_build(const char **at) {
    do {
        bool numeric;
        size_t n = identifier(++*at, &numeric);

        if (n == 0)
            return false;
        *at += n;
    } while (**at == '.');
    return true;
}

bool semver_parse(const char *text, struct semver *ret) {
    const char *at = *text == 'v' ? text + 1 : text;
    size_t n = strlen(at);

    if (n == 0 || n >= SEMVER_TEXT)
        return false;
    *ret = (struct semver){0};
    memcpy(ret->key, at, n + 1);
    for (int i = 0; i < 3; i++) {
        if (i && *at++ != '.')
            return false;
        if (!take_number(&at, ret))
            return false;
    }
    if (*at == '-') {
        if (!take_prerelease(&at, ret))
            return false;
    } else {
        put(ret, NO_PRERELEASE);
    }
    if (*at == '+' && !take_build(&at))
        return false;
    return *at == '\0';
}

int semver_compare(const struct semver *a, const struct semver *b) {
    size_t n = a->precedence_len < b->precedence_len ? a->precedence_len : b->precedence_len;
    int order = memcmp(a->precedence, b->precedence, n);

    if (order)
        return order;
    return (a->precedence_len > b->precedence_len) - (a->precedence_len < b->precedence_len);
}
