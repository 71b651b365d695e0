/* base/arena.h: memory that lives as long as one request and is freed at once.  Never holds a thing
 * that needs a destructor.  Not shared between threads at the same time. */
#pragma once
#include "base/status.h"

struct arena {
    struct arena_block *head; /* owned */
};

void *arena_alloc(struct arena *a, size_t n);       /* zeroed, aligned for any type */
char *arena_strdup(struct arena *a, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *format, ...) PRINTF(2, 3);
void arena_done(struct arena *a); /* NULL-safe, idempotent */
static inline void arena_done_cleanup(struct arena *a) {
    arena_done(a);
}
