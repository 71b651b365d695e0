/* base/address.h: IP addresses and lists of CIDRs, as settings and proxies write them. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address {
    int family; /* AF_INET, AF_INET6; 0: none of these */
    unsigned char bytes[16];
};
enum { ADDRESS_TEXT = INET6_ADDRSTRLEN };

struct address address_of(const struct sockaddr *in); /* NULL: none */
/* An IPv4 address that was mapped into IPv6 (::ffff:192.0.2.1), as a socket for both families says
 * it, as what it is; any other unchanged. */
struct address address_unmapped(const struct address *a);
bool address_parse(const char *text, size_t n, struct address *ret);
/* Without a port.  Returns `text`; "?" for none. */
char *address_text(const struct address *a, char text[ADDRESS_TEXT]);

/* Whether one of comma-separated CIDRs (NULL: none; elements that are none hold nothing) holds it.
 * An address without a prefix's length is itself. */
bool cidrs_hold(const char *list, const struct address *a);
/* NULL when each element is a CIDR, else the first that is not. */
const char *cidrs_bad(const char *list);
