/* handlers/key.h: what key.c and the schemas of its bodies share. */
#pragma once
#include "http/http.h"

enum { KEY_OVERLAP_MAX_S = 30 * 86400 };

struct key_in {
    const char *name, *kind;
    json_t *principal;  /* {kind, roles[], apps[], environment?} */
    int64_t expires_us; /* 0: never */
};
