/* flags/set.h: a set of strings, made once and then only looked into, however many it holds.
 * Private to flags/. */
#pragma once
#include "base/arena.h"
#include <stdbool.h>

enum { SET_NONE = -1 };

struct set_entry {
    const char *text;
    size_t n;
    uint32_t hash;
    int index; /* the first entry of equal text wins */
};
struct set {
    struct set_entry *slots; /* a power of two, at most half full; NULL: the set is empty */
    size_t slot_count;
};

/* Room for n strings, in the arena. */
void set_init(struct set *s, struct arena *arena, size_t n);
/* `text` stays the caller's and has to live as long as the set. */
void set_add(struct set *s, const char *text, size_t n, int index);
/* The index it was added with; SET_NONE. */
int set_find(const struct set *s, const char *text, size_t n);
