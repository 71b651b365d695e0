/* net/policy.h: the guard against forged destinations (facts: an attacker names a host that
 * resolves inside).  Private to net/; it judges addresses after resolution, so that DNS rebinding
 * cannot pass. */
#pragma once
#include <stdbool.h>
#include <sys/socket.h>

/* Whether a connection to `address` is allowed beside `allow` (CIDRs, may be NULL; elements that
 * are none allow nothing).  A family other than IPv4 and IPv6 never is. */
bool policy_allows(const char *allow, const struct sockaddr *address);
/* Whether `allow` itself names the address. */
bool policy_lists(const char *allow, const struct sockaddr *address);
