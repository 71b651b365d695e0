/* net/easy.h: one call on one curl easy handle: how it is set up, what its callbacks do and how its
 * outcome is read.  Private to net/; client.c waits for such a call, loop.c runs many at once. */
#pragma once
#include "base/address.h"
#include "base/strbuf.h"
#include "net/net.h"
#include <curl/curl.h>
#include <stdatomic.h>

struct easy_call {
    CURL *easy; /* borrowed */
    struct net_data_sink {
        net_data_fn *fn; /* NULL: the body is collected */
        void *ctx;
    } sink;
    const struct net_policy *policy;         /* borrowed or NULL */
    struct curl_slist *headers, *connect_to; /* owned */
    struct strbuf body;
    char *url;                   /* owned or NULL: the URL rewritten for a server name */
    const atomic_bool *canceled; /* borrowed or NULL: ends the call when set */
    int64_t started_us, last_byte_us, idle_us;
    unsigned attempts; /* requests begun: curl repeats one whose reused connection was dead */
    bool repeatable;   /* the method may be carried out twice */
    bool stopped, too_large, idled, repeat_refused;
    char refused[ADDRESS_TEXT]; /* the address that the policy refused, or "" */
    char text[CURL_ERROR_SIZE]; /* curl's own words */
};

/* Prepares `easy` (fresh or reset) for the call.  False, with the reason in c->text, when the
 * request is malformed: nothing may be sent then, but easy_end() is due all the same. */
bool easy_begin(struct easy_call *c, CURL *easy, const struct net_request *in,
                const char *user_agent, struct net_data_sink sink);
/* Ends an idle or canceled call from inside curl_easy_perform(), which looks about once a second.
 */
void easy_watch(struct easy_call *c, const atomic_bool *canceled);
/* Reads the outcome into *ret and releases what easy_begin() took; `easy` may then be reset. */
void easy_end(struct easy_call *c, CURLcode code, struct net_response *ret);
