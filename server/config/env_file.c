#include "config/env_file.h"
#include "base/cleanup.h"
#include "base/status.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    const char *name, *value;
    size_t name_n, value_n;
};

/* The next line that says something; one that is not NAME=value has no name. */
static bool next_line(const char **at, int *number, struct line *ret) {
    while (**at) {
        size_t n = strcspn(*at, "\n");
        const char *line = *at;

        *at += n + (line[n] == '\n');
        *number += 1;
        n -= n && line[n - 1] == '\r';
        if (n == 0 || *line == '#')
            continue;
        *ret = (struct line){line, line, strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), 0};
        if (ret->name_n == n || line[ret->name_n] != '=')
            ret->name_n = 0;
        ret->value += ret->name_n + 1;
        ret->value_n = ret->name_n ? n - ret->name_n - 1 : 0;
        return true;
    }
    return false;
}

static bool is(const struct line *l, const char *name) {
    return strlen(name) == l->name_n && !memcmp(l->name, name, l->name_n);
}

static size_t times(const char *text, const char *name) {
    struct line l;
    size_t n = 0;
    int number = 0;

    while (next_line(&text, &number, &l))
        n += is(&l, name);
    return n;
}

bool env_file_check(const char *text, bool (*known)(const char *name), char *reterr, size_t n) {
    const char *at = text;
    struct line l;
    int number = 0;

    while (next_line(&at, &number, &l)) {
        _cleanup_free_ char *name = xstrndup(l.name, l.name_n);
        const char *outside = getenv(name);

        if (!*name)
            snprintf(reterr, n, "SLUICE_ENV_FILE: line %d is not NAME=value", number);
        else if (!known(name))
            snprintf(reterr, n, "SLUICE_ENV_FILE: line %d: %.60s is no setting of Sluice", number,
                     name);
        else if (times(text, name) > 1)
            snprintf(reterr, n, "SLUICE_ENV_FILE: %s is there twice", name);
        else if (outside && *outside)
            snprintf(reterr, n, "%s is set in the environment and in SLUICE_ENV_FILE; set one",
                     name);
        else
            continue;
        return false;
    }
    return true;
}

char *env_file_get(const char *text, const char *name) {
    struct line l;
    int number = 0;

    while (next_line(&text, &number, &l)) {
        if (!is(&l, name))
            continue;
        if (l.value_n >= 2 && (*l.value == '"' || *l.value == '\'') &&
            l.value[l.value_n - 1] == *l.value)
            return l.value_n > 2 ? xstrndup(l.value + 1, l.value_n - 2) : NULL;
        return l.value_n ? xstrndup(l.value, l.value_n) : NULL;
    }
    return NULL;
}
