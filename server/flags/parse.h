/* flags/parse.h: the texts that constraints and contexts carry, as values.  Private to flags/. */
#pragma once
#include "base/semver.h"
#include <stdbool.h>
#include <stddef.h>

/* A finite decimal number ("12", "-0.5", "1e3"), alone in the text; at most 64 bytes. */
bool parse_number(const char *text, double *ret);
/* A percentage, 0 to 100. */
bool parse_percentage(const char *text, double *ret);
/* A semantic version without the v that tags carry: as Unleash has it. */
bool parse_version(const char *text, struct semver *ret);

/* An address is a network that holds one. */
struct network {
    unsigned char bytes[16];
    unsigned char bits;
    bool six; /* IPv6 */
};
bool parse_network(const char *text, size_t n, struct network *ret);
/* Whether the address (of parse_network, without a prefix) lies in it; families never mix. */
bool network_holds(const struct network *net, const struct network *address);

/* The next element of "a, b ,c" from *list on, without the spaces around it; NULL after the last.
 * *ret_n: its length. */
const char *parse_element(const char **list, size_t *ret_n);
