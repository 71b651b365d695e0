/* kube/yaml_scalar.c: what a plain YAML scalar means (YAML 1.2.2 §10.3.2, the core schema).
 *
 * One departure: kubectl reads a leading zero as octal, and file modes are written that way
 * (defaultMode: 0400).  Decimal would be another mode without anybody noticing. */
#include "kube/yaml_scalar.h"
#include "base/cleanup.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool one_of(const char *s, const char *const *words) {
    for (; *words; words++)
        if (strcmp(s, *words) == 0)
            return true;
    return false;
}

static size_t digits(const char *s) {
    return strspn(s, "0123456789");
}

/* [-+]? [0-9]+, 0o[0-7]+, 0x[0-9a-fA-F]+.  Returns the base, 0 when it is none, and where the
 * digits begin. */
static int integer_base(const char *s, const char **ret_digits) {
    const char *d = s + (*s == '-' || *s == '+');
    size_t n = strlen(d);

    *ret_digits = d;
    if (d == s && strncmp(s, "0o", 2) == 0 && n > 2 && strspn(s + 2, "01234567") == n - 2) {
        *ret_digits = s + 2;
        return 8;
    }
    if (d == s && strncmp(s, "0x", 2) == 0 && n > 2 &&
        strspn(s + 2, "0123456789abcdefABCDEF") == n - 2)
        return 16;
    if (n == 0 || digits(d) != n)
        return 0;
    return n > 1 && *d == '0' && strspn(d, "01234567") == n ? 8 : 10;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool looks_float(const char *s) {
    size_t whole, part = 0;

    s += *s == '-' || *s == '+';
    whole = digits(s);
    s += whole;
    if (*s == '.') {
        part = digits(++s);
        s += part;
    }
    if (whole + part == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '-' || *s == '+';
        if (digits(s) == 0)
            return false;
        s += digits(s);
    }
    return *s == '\0';
}

static json_t *real(const char *s) {
    double value;

    value = strtod(s, NULL);
    return isfinite(value) ? json_real(value) : NULL;
}

static json_t *integer(const char *s, int base, const char *start) {
    long long value;
    bool negative = *s == '-';

    errno = 0;
    value = strtoll(start, NULL, base);
    if (errno == ERANGE)
        return base == 10 ? real(s) : NULL;
    return json_integer(negative ? -value : value);
}

json_t *yaml_scalar(const char *s, const char **reterr) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const no_number[] = {".inf",  ".Inf",  ".INF",  "-.inf", "-.Inf",
                                            "-.INF", "+.inf", "+.Inf", "+.INF", ".nan",
                                            ".NaN",  ".NAN",  NULL};
    const char *start;
    json_t *value;
    int base;

    if (one_of(s, nulls))
        return json_null();
    if (one_of(s, trues))
        return json_true();
    if (one_of(s, falses))
        return json_false();
    base = integer_base(s, &start);
    if (base)
        value = integer(s, base, start);
    else if (one_of(s, no_number))
        value = NULL;
    else if (looks_float(s))
        value = real(s);
    else
        return json_string(s);
    if (!value)
        *reterr = "a number that JSON cannot say";
    return value;
}
