/* net/policy.c: which addresses are public.  IPv4: all but the special-purpose registry (RFC 6890
 * and its updates).  IPv6: nothing but global unicast, and of that nothing that embeds or tunnels
 * to an IPv4 address. */
#include "net/policy.h"
#include "net/net.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

struct cidr {
    int family;
    unsigned char bytes[16];
    unsigned bits;
};

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

static bool cidr_parse(const char *text, size_t n, struct cidr *ret) {
    char address[INET6_ADDRSTRLEN];
    const char *slash = memchr(text, '/', n);
    size_t address_n = slash ? (size_t)(slash - text) : n;
    unsigned most;

    *ret = (struct cidr){0};
    if (address_n == 0 || address_n >= sizeof(address))
        return false;
    memcpy(address, text, address_n);
    address[address_n] = '\0';
    ret->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    most = ret->family == AF_INET6 ? 128 : 32;
    if (inet_pton(ret->family, address, ret->bytes) != 1)
        return false;
    ret->bits = most;
    if (!slash)
        return true;
    ret->bits = 0;
    n -= address_n + 1;
    if (n == 0 || n > 3)
        return false;
    for (slash++; n--; slash++) {
        if (!isdigit((unsigned char)*slash))
            return false;
        ret->bits = ret->bits * 10 + (unsigned)(*slash - '0');
    }
    return ret->bits <= most;
}

static bool cidr_holds(const struct cidr *c, int family, const unsigned char *bytes) {
    unsigned whole = c->bits / 8, rest = c->bits % 8;
    unsigned char mask = (unsigned char)(0xff00u >> rest);

    if (family != c->family || memcmp(c->bytes, bytes, whole) != 0)
        return false;
    return rest == 0 || ((c->bytes[whole] ^ bytes[whole]) & mask) == 0;
}

/* Steps to the next element of a comma-separated list: false at its end.  Spaces around an element
 * do not count. */
static bool next_element(const char **list, const char **ret, size_t *ret_n) {
    const char *start = *list, *end;

    if (!start || !*start)
        return false;
    end = strchrnul(start, ',');
    *list = *end ? end + 1 : end;
    while (start < end && isspace((unsigned char)*start))
        start++;
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    *ret = start;
    *ret_n = (size_t)(end - start);
    return true;
}

const char *net_policy_bad(const char *allow) {
    const char *element;
    struct cidr cidr;
    size_t n;

    while (next_element(&allow, &element, &n)) {
        if (!cidr_parse(element, n, &cidr))
            return element;
    }
    return NULL;
}

static bool listed(const char *allow, int family, const unsigned char *bytes) {
    const char *element;
    struct cidr cidr;
    size_t n;

    while (next_element(&allow, &element, &n)) {
        if (cidr_parse(element, n, &cidr) && cidr_holds(&cidr, family, bytes))
            return true;
    }
    return false;
}

static const unsigned char *address_bytes(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return (const unsigned char *)&((const struct sockaddr_in *)(const void *)address)
            ->sin_addr;
    if (address->sa_family == AF_INET6)
        return (const unsigned char *)&((const struct sockaddr_in6 *)(const void *)address)
            ->sin6_addr;
    return NULL;
}

bool policy_lists(const char *allow, const struct sockaddr *address) {
    const unsigned char *bytes = address_bytes(address);

    return bytes && listed(allow, address->sa_family, bytes);
}

bool policy_allows(const char *allow, const struct sockaddr *address) {
    const unsigned char *bytes = address_bytes(address);
    struct cidr cidr;

    if (!bytes)
        return false;
    if (listed(allow, address->sa_family, bytes))
        return true;
    if (address->sa_family == AF_INET6 && (bytes[0] & 0xe0) != 0x20)
        return false;
    for (size_t i = 0; i < sizeof(not_public) / sizeof(not_public[0]); i++) {
        if (cidr_parse(not_public[i], strlen(not_public[i]), &cidr) &&
            cidr_holds(&cidr, address->sa_family, bytes))
            return false;
    }
    return true;
}

char *policy_address_text(const struct sockaddr *address, char text[POLICY_ADDRESS_TEXT]) {
    const unsigned char *bytes = address_bytes(address);

    if (!bytes || !inet_ntop(address->sa_family, bytes, text, POLICY_ADDRESS_TEXT))
        strncpy(text, "?", POLICY_ADDRESS_TEXT);
    return text;
}
