#include "flags/set.h"
#include "flags/hash.h"
#include <string.h>

enum { SET_SEED = 7 };

void set_init(struct set *s, struct arena *arena, size_t n) {
    *s = (struct set){0};
    if (n == 0)
        return;
    for (s->slot_count = 2; s->slot_count < 2 * n;)
        s->slot_count *= 2;
    s->slots = arena_alloc(arena, s->slot_count * sizeof *s->slots);
}

/* The slot of the text, or the free one where it belongs. */
static struct set_entry *slot_of(const struct set *s, const char *text, size_t n, uint32_t hash) {
    size_t i = hash & (s->slot_count - 1);

    while (s->slots[i].text && (s->slots[i].hash != hash || s->slots[i].n != n ||
                                memcmp(s->slots[i].text, text, n) != 0))
        i = (i + 1) & (s->slot_count - 1);
    return &s->slots[i];
}

void set_add(struct set *s, const char *text, size_t n, int index) {
    uint32_t hash = hash_murmur3(text, n, SET_SEED);
    struct set_entry *slot = slot_of(s, text, n, hash);

    if (!slot->text)
        *slot = (struct set_entry){.text = text, .n = n, .hash = hash, .index = index};
}

int set_find(const struct set *s, const char *text, size_t n) {
    const struct set_entry *slot;

    if (!s->slots)
        return SET_NONE;
    slot = slot_of(s, text, n, hash_murmur3(text, n, SET_SEED));
    return slot->text ? slot->index : SET_NONE;
}
