/* net/policy.c: which addresses are public.  IPv4: all but the special-purpose registry (RFC 6890
 * and its updates).  IPv6: nothing but global unicast, and of that nothing that embeds or tunnels
 * to an IPv4 address. */
#include "net/policy.h"
#include "base/address.h"

static const char *const not_public[] = {
    "0.0.0.0/8",       /* this network */
    "10.0.0.0/8",      /* private */
    "100.64.0.0/10",   /* carrier-grade NAT */
    "127.0.0.0/8",     /* loopback */
    "169.254.0.0/16",  /* link-local: cloud metadata */
    "172.16.0.0/12",   /* private */
    "192.0.0.0/24",    /* protocol assignments */
    "192.0.2.0/24",    /* documentation */
    "192.88.99.0/24",  /* 6to4 relays */
    "192.168.0.0/16",  /* private */
    "198.18.0.0/15",   /* benchmarks */
    "198.51.100.0/24", /* documentation */
    "203.0.113.0/24",  /* documentation */
    "224.0.0.0/4",     /* multicast */
    "240.0.0.0/4",     /* reserved, broadcast */
    "2001::/23",       /* protocol assignments: Teredo, ORCHID */
    "2001:db8::/32",   /* documentation */
    "2002::/16",       /* 6to4 */
    "3fff::/20",       /* documentation */
};

bool policy_lists(const char *allow, const struct sockaddr *address) {
    struct address a = address_of(address);

    return a.family && cidrs_hold(allow, &a);
}

bool policy_allows(const char *allow, const struct sockaddr *address) {
    struct address a = address_of(address);

    if (!a.family)
        return false;
    if (cidrs_hold(allow, &a))
        return true;
    if (a.family == AF_INET6 && (a.bytes[0] & 0xe0) != 0x20)
        return false;
    for (size_t i = 0; i < sizeof(not_public) / sizeof(not_public[0]); i++) {
        if (cidrs_hold(not_public[i], &a))
            return false;
    }
    return true;
}
