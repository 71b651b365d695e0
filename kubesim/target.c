#include "kubesim/rest.h"
#include <string.h>

/* Takes one path segment into `to`; false when it is empty or too long. */
static bool segment(const char **at, char *to, size_t size) {
    size_t n = strcspn(*at, "/");

    if (!n || n >= size)
        return false;
    memcpy(to, *at, n);
    to[n] = '\0';
    *at += n + ((*at)[n] == '/');
    return true;
}

static bool group_parse(const char **at, char group[64], char version[32]) {
    if (!strncmp(*at, "/api/", 5)) {
        *at += 5;
        *group = '\0';
        return segment(at, version, 32);
    }
    if (strncmp(*at, "/apis/", 6))
        return false;
    *at += 6;
    return segment(at, group, 64) && segment(at, version, 32);
}

bool target_parse(const char *path, struct target *ret) {
    char group[64], version[32], plural[64];
    const char *at = path;

    *ret = (struct target){.rest = ""};
    if (!group_parse(&at, group, version) || !segment(&at, plural, sizeof plural))
        return false;
    if (!strcmp(plural, "namespaces") && *at) {
        const char *inside = at;

        if (segment(&inside, ret->ns, sizeof ret->ns) && *inside &&
            segment(&inside, plural, sizeof plural) && strcmp(plural, "status") &&
            strcmp(plural, "finalize"))
            at = inside;
        else
            memcpy(plural, "namespaces", sizeof "namespaces");
    }
    ret->kind = kind_by_plural(group, version, plural);
    if (!ret->kind)
        return false;
    if (!ret->kind->namespaced)
        *ret->ns = '\0';
    if (*at && !segment(&at, ret->name, sizeof ret->name))
        return false;
    if (*at && !segment(&at, ret->sub, sizeof ret->sub))
        return false;
    ret->rest = at;
    return !*at || !strcmp(ret->sub, "proxy");
}
