#include "base/address.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

struct cidr {
    struct address address;
    unsigned bits;
};

struct address address_of(const struct sockaddr *in) {
    struct address a = {0};
    struct sockaddr_in four;
    struct sockaddr_in6 six;

    if (in && in->sa_family == AF_INET) {
        memcpy(&four, in, sizeof four);
        memcpy(a.bytes, &four.sin_addr, 4);
        a.family = AF_INET;
    } else if (in && in->sa_family == AF_INET6) {
        memcpy(&six, in, sizeof six);
        memcpy(a.bytes, &six.sin6_addr, 16);
        a.family = AF_INET6;
    }
    return a;
}

struct address address_unmapped(const struct address *a) {
    static const unsigned char prefix[12] = {[10] = 0xff, [11] = 0xff};
    struct address four = {.family = AF_INET};

    if (a->family != AF_INET6 || memcmp(a->bytes, prefix, sizeof prefix) != 0)
        return *a;
    memcpy(four.bytes, a->bytes + sizeof prefix, 4);
    return four;
}

bool address_parse(const char *text, size_t n, struct address *ret) {
    char copy[ADDRESS_TEXT];

    *ret = (struct address){0};
    if (n == 0 || n >= sizeof copy || memchr(text, '\0', n))
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    ret->family = strchr(copy, ':') ? AF_INET6 : AF_INET;
    return inet_pton(ret->family, copy, ret->bytes) == 1;
}

char *address_text(const struct address *a, char text[ADDRESS_TEXT]) {
    if (!a->family || !inet_ntop(a->family, a->bytes, text, ADDRESS_TEXT))
        memcpy(text, "?", 2);
    return text;
}

static bool cidr_parse(const char *text, size_t n, struct cidr *ret) {
    const char *slash = memchr(text, '/', n);
    size_t address_n = slash ? (size_t)(slash - text) : n;
    unsigned most;

    if (!address_parse(text, address_n, &ret->address))
        return false;
    most = ret->address.family == AF_INET6 ? 128 : 32;
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

static bool cidr_holds(const struct cidr *c, const struct address *a) {
    unsigned whole = c->bits / 8, rest = c->bits % 8;
    unsigned char mask = (unsigned char)(0xff00u >> rest);

    if (a->family != c->address.family || memcmp(c->address.bytes, a->bytes, whole) != 0)
        return false;
    return rest == 0 || ((c->address.bytes[whole] ^ a->bytes[whole]) & mask) == 0;
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

const char *cidrs_bad(const char *list) {
    const char *element;
    struct cidr cidr;
    size_t n;

    while (next_element(&list, &element, &n)) {
        if (!cidr_parse(element, n, &cidr))
            return element;
    }
    return NULL;
}

bool cidrs_hold(const char *list, const struct address *a) {
    const char *element;
    struct cidr cidr;
    size_t n;

    while (next_element(&list, &element, &n)) {
        if (cidr_parse(element, n, &cidr) && cidr_holds(&cidr, a))
            return true;
    }
    return false;
}
