#include "base/arena.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first blocks are small, because ten thousand open event streams each keep two; later ones
 * double. */
enum { BLOCK_FIRST = 1000, BLOCK_SECOND = 500, BLOCK_MAX = 16000 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    max_align_t bytes[];
};

void *arena_alloc(struct arena *a, size_t n) {
    struct arena_block *b = a->head;
    void *p;

    n = (n + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    if (!b || b->size - b->used < n) {
        size_t size = !b                        ? BLOCK_FIRST
                      : !b->next                ? BLOCK_SECOND
                      : b->size < BLOCK_MAX / 2 ? b->size * 2
                                                : BLOCK_MAX;

        if (size < n)
            size = n;
        b = xmalloc(sizeof *b + size); /* calloc goes past the allocator's cache of its thread */
        *b = (struct arena_block){.next = a->head, .size = size};
        a->head = b;
    }
    p = (char *)b->bytes + b->used;
    b->used += n;
    return memset(p, 0, n);
}

char *arena_strndup(struct arena *a, const char *s, size_t n) {
    char *copy = arena_alloc(a, n + 1);

    if (n)
        memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(struct arena *a, const char *s) {
    return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *format, ...) {
    va_list args, again;
    char *s;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    s = arena_alloc(a, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, format, again);
    va_end(again);
    return s;
}

void arena_done(struct arena *a) {
    if (!a)
        return;
    while (a->head) {
        struct arena_block *b = a->head;

        a->head = b->next;
        free(b);
    }
}
