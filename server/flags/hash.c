#include "flags/hash.h"
#include <string.h>

/* A hash over text that comes in pieces, so that "group:id" need not be put together. */
struct murmur {
    uint32_t h, block; /* block: up to three bytes that wait for the next piece */
    size_t n;
};

static uint32_t rotate(uint32_t v, unsigned by) {
    return v << by | v >> (32 - by);
}

static uint32_t scramble(uint32_t block) {
    return rotate(block * 0xcc9e2d51u, 15) * 0x1b873593u;
}

static void mix(struct murmur *m, uint32_t block) {
    m->h = rotate(m->h ^ scramble(block), 13) * 5 + 0xe6546b64u;
}

static uint32_t four_bytes(const unsigned char *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void murmur_add(struct murmur *m, const void *bytes, size_t n) {
    const unsigned char *at = bytes;
    unsigned bits = (unsigned)(m->n % 4) * 8; /* of what waits */

    m->n += n;
    for (; n >= 4; at += 4, n -= 4) { /* what waits stays as long as it is */
        uint32_t next = four_bytes(at);

        mix(m, m->block | next << bits);
        m->block = bits ? next >> (32 - bits) : 0;
    }
    for (; n; at++, n--) {
        m->block |= (uint32_t)*at << bits;
        bits = (bits + 8) % 32;
        if (bits)
            continue;
        mix(m, m->block);
        m->block = 0;
    }
}

static uint32_t murmur_end(const struct murmur *m) {
    uint32_t h = m->h ^ scramble(m->block) ^ (uint32_t)m->n;

    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

uint32_t hash_murmur3(const void *bytes, size_t n, uint32_t seed) {
    struct murmur m = {.h = seed};

    murmur_add(&m, bytes, n);
    return murmur_end(&m);
}

uint32_t hash_bucket(const char *group, const char *id, size_t id_n, uint32_t modulus,
                     uint32_t seed) {
    struct murmur m = {.h = seed};

    murmur_add(&m, group, strlen(group));
    murmur_add(&m, ":", 1);
    murmur_add(&m, id, id_n);
    return murmur_end(&m) % modulus + 1;
}

uint64_t hash_random(uint64_t *state) {
    uint64_t v = *state += UINT64_C(0x9e3779b97f4a7c15);

    v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
    return v ^ v >> 31;
}
