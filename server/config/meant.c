/* config/meant.c: "did you mean": the known name at the least edit distance from a misspelt one. */
#include "config/settings.h"
#include <string.h>

enum { NAME_MAX_BYTES = 64, FAR = 4 };

static unsigned least(unsigned a, unsigned b, unsigned c) {
    unsigned ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Levenshtein's distance; names longer than NAME_MAX_BYTES are far from everything. */
static unsigned distance(const char *a, const char *b) {
    size_t na = strlen(a), nb = strlen(b);
    unsigned row[NAME_MAX_BYTES + 1];

    if (na > NAME_MAX_BYTES || nb > NAME_MAX_BYTES)
        return FAR;
    for (size_t j = 0; j <= nb; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned next = least(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));

            diagonal = row[j];
            row[j] = next;
        }
    }
    return row[nb];
}

static void closer(const char *name, const char *candidate, unsigned *best, const char **ret) {
    unsigned d = distance(name, candidate);

    if (d < *best) {
        *best = d;
        *ret = candidate;
    }
}

const char *setting_meant(const char *name) {
    const char *ret = NULL;
    unsigned best = FAR;

    for (const struct setting *s = settings; s->name; s++) {
        closer(name, s->name, &best, &ret);
        if (!strncmp(name, "SLUICE_",
                     7)) /* SLUICE_PORT is a service link, SLUICE_DATABASE_URL a mistake */
            closer(name + 7, s->name, &best, &ret);
    }
    for (const char *const *foreign = foreign_names; *foreign; foreign++)
        closer(name, *foreign, &best, &ret);
    return ret;
}
