/* flags/hash.h: who is in, as a number.  These are the vectors that every Unleash SDK has to meet;
 * they never change, because a change would move people from one side to the other. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { HASH_ROLLOUT = 0, HASH_VARIANT = 86028157 }; /* seeds */

/* MurmurHash3 x86 32. */
uint32_t hash_murmur3(const void *bytes, size_t n, uint32_t seed);
/* The hash of "group:id" modulo `modulus`, plus 1: from 1 to modulus.  It is that of the UTF-8
 * bytes, as in most SDKs and Unleash Edge; JavaScript's hash the low byte of each UTF-16 unit,
 * which is the same for ASCII alone. */
uint32_t hash_bucket(const char *group, const char *id, size_t id_n, uint32_t modulus,
                     uint32_t seed);
/* The next number of a splitmix64 sequence; *state is the caller's, any start will do. */
uint64_t hash_random(uint64_t *state);
