/* main/keys.c: how auth gets the key sets of issuers: over server/net, which it may not use. */
#include "base/cleanup.h"
#include "main/server.h"
#include <stdio.h>

enum { FETCH_MS = 5000 };

static char *fetch(void *ctx, const char *url, const char *ca_pem, size_t *ret_n, char *reterr,
                   size_t n) {
    static const char *const headers[] = {"Accept: application/jwk-set+json, application/json",
                                          NULL};
    struct net_tls tls = {.ca_pem = ca_pem};
    struct net_response answer;
    char *body = NULL;

    net_call(ctx,
             &(struct net_request){.method = "GET",
                                   .url = url,
                                   .headers = headers,
                                   .timeout_ms = FETCH_MS,
                                   .max_bytes = AUTH_KEYS_BYTES,
                                   .tls = &tls},
             &answer);
    if (answer.outcome != NET_ANSWERED) {
        snprintf(reterr, n, "%s: %s", url, answer.error);
    } else if (answer.status != 200) {
        snprintf(reterr, n, "%s: answered with status %u", url, answer.status);
    } else {
        *ret_n = answer.body_len;
        body = TAKE_PTR(answer.body);
    }
    net_response_done(&answer);
    return body;
}

struct auth_settings server_auth_settings(const struct config *config, struct net_client *client) {
    return (struct auth_settings){.jwt_secret = config->jwt_secret,
                                  .issuers_file = config->issuers_file,
                                  .fetch = client ? fetch : NULL,
                                  .fetch_ctx = client};
}
