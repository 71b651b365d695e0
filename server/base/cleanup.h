/* base/cleanup.h: scope-bound release.  Four macros, no more; jansson ships json_auto_t. */
#pragma once
#include <stdlib.h>

#define _cleanup_(fn) __attribute__((cleanup(fn##_cleanup)))
/* DEFINE_CLEANUP(PQclear, PGresult *) lets a variable of that type say _cleanup_(PQclear). */
#define DEFINE_CLEANUP(fn, type)                                                                   \
    static inline void fn##_cleanup(type *p) {                                                     \
        if (*p)                                                                                    \
            fn(*p);                                                                                \
    }                                                                                              \
    struct fn##_needs_semicolon
#define _cleanup_free_ __attribute__((cleanup(free_cleanup)))
/* Yields the pointer and leaves NULL behind: ownership moves. */
#define TAKE_PTR(p)                                                                                \
    __extension__({                                                                                \
        __typeof__(p) *_p = &(p);                                                                  \
        __typeof__(p) _v = *_p;                                                                    \
        *_p = NULL;                                                                                \
        _v;                                                                                        \
    })

static inline void free_cleanup(void *p) {
    free(*(void **)p);
}
