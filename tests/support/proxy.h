/* tests/support/proxy.h: a proxy in front of the cluster's socket that loses what a test wants
 * lost.
 *
 * The first time that a client's bytes hold the pattern, the fault happens to that connection;
 * later ones pass. */
#pragma once
#include <stddef.h>

typedef enum ProxyFault {
    PROXY_PASS,
    PROXY_CUT_BEFORE, /* the pattern never reaches the server: both sides are closed */
    PROXY_CUT_AFTER,  /* the server gets it and answers; the client never hears: closed */
    PROXY_SWALLOW, /* from the pattern on the server hears nothing more; the connection stays open
                    */
    PROXY_MUTE,    /* every connection is accepted and never answered; no pattern */
} ProxyFault;

struct proxy;
struct proxy *proxy_start(const char *socket); /* to that path */
/* From now on; the pattern is copied. */
void proxy_fault(struct proxy *p, ProxyFault fault, const void *pattern, size_t n);
/* A directory to give libpq as host. */
const char *proxy_directory(const struct proxy *p);
unsigned proxy_faults(const struct proxy *p); /* how many happened */
void proxy_stop(struct proxy *p);
