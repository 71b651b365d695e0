/* http/rate.h: how many requests a principal and a network may make (internal to http/).
 *
 * Token buckets in a table of fixed size that belongs to this process: two replicas count apart.
 * Taking allocates nothing.  Any thread. */
#pragma once
#include "base/address.h"
#include "http/http.h"

typedef enum RateKind { RATE_PRINCIPAL, RATE_NETWORK, RATE_KINDS } RateKind;
extern const char *const rate_names[RATE_KINDS]; /* of the policies, in headers and problems */

struct rates;
/* A rule with per_s 0 limits nothing. */
struct rates *rates_new(const struct http_rate rule[RATE_KINDS]);
void rates_change(struct rates *r, const struct http_rate rule[RATE_KINDS]);
void rates_free(struct rates *r); /* NULL-safe */
bool rates_limit(const struct rates *r, RateKind kind);

/* Who is counted: keyed hashes, so that nobody can aim at somebody else's bucket. */
uint64_t rates_of_principal(const struct rates *r, const struct principal *p);
/* The /24 of an IPv4 address, the /48 of an IPv6 one. */
uint64_t rates_of_network(const struct rates *r, const struct address *address);

struct rate_state {
    int64_t remaining;     /* requests that may come at once */
    int64_t full_s;        /* until the bucket is full again */
    int64_t retry_after_s; /* of a refusal: until one may come */
};
/* One request; false: one too many, which is not counted. */
bool rates_take(struct rates *r, RateKind kind, uint64_t who, int64_t now_us,
                struct rate_state *ret);
