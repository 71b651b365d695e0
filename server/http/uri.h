/* http/uri.h: the raw request target, taken apart strictly.  Pure: no connection, no state. */
#pragma once
#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>

enum { URI_SEGMENTS_MAX = 16, URI_QUERY_MAX = 64 };

struct uri {
    const char *path;                      /* raw, without the query */
    const char *segment[URI_SEGMENTS_MAX]; /* decoded; "/a/b" has two */
    size_t segments;                       /* URI_SEGMENTS_MAX + 1: too many to match anything */
    const char *query;                     /* raw, without '?', or NULL */
};
/* E_INVALID_PATH with one sentence in *reterr; everything lives in the arena. */
MUSTCHECK Status uri_split(struct arena *a, const char *raw, struct uri *ret, const char **reterr);

struct uri_pair {
    const char *name, *value; /* decoded */
};
struct uri_query {
    struct uri_pair *pair; /* at most URI_QUERY_MAX */
    size_t n;
};
/* A query that cannot be decoded, or has too many pairs, is E_INVALID_QUERY; *retname is the raw
 * name at fault. */
MUSTCHECK Status uri_query(struct arena *a, const char *raw, struct uri_query *ret,
                           const char **retname, const char **reterr);
/* Whether n bytes are well-formed UTF-8 without control characters. */
bool text_plain(const char *s, size_t n);
