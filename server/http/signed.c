/* http/signed.c: API signatures as requests meet them (auth/apisig.h has the profile).
 *
 * The MAC is verified with the headers, before a body is read: everything that it covers is there,
 * and nobody who only knows a keyid can spend that caller's rate or make the server keep a body.
 * The body is hashed while it arrives and held to Content-Digest before anything decodes it. */
#include "auth/apisig_body.h"
#include "auth/keyring.h"
#include "base/clock.h"
#include "http/server.h"

bool signed_given(const struct exchange *x) {
    return request_header(&x->q, "Signature") || request_header(&x->q, "Signature-Input");
}

static const char *authority_of(const struct exchange *x) {
    enum { AUTHORITY_MAX = 300 };
    const char *host = x->host ? x->host : request_header(&x->q, "Host");
    char text[AUTHORITY_MAX];

    if (x->server->in.authority)
        return x->server->in.authority;
    return host && apisig_authority(host, text, sizeof text) ? arena_strdup(x->q.arena, text) : "";
}

static Status refuse(const char **reterr, const char *why) {
    *reterr = why;
    return E_UNAUTHENTICATED;
}

Status signed_authenticate(struct exchange *x, const char **reterr) {
    const struct uri *uri = &x->uri;
    struct apisig_message m = {
        .method = x->method_name,
        .authority = authority_of(x),
        .path = uri->path,
        .query = uri->query ? arena_printf(&x->arena, "?%s", uri->query) : NULL,
        .content_digest = request_header(&x->q, "Content-Digest"),
        .idempotency_key = request_header(&x->q, "Idempotency-Key"),
    };
    struct apisig *a = arena_alloc(&x->arena, sizeof *a);
    int64_t now_us = clock_now_us();
    const char *why;
    Status s;

    if (request_header(&x->q, "Authorization") || request_header(&x->q, "X-API-Key"))
        return refuse(reterr, "A request carries Authorization, X-API-Key or a signature.");
    if (!x->server->in.keys)
        return refuse(reterr, "This server takes no signatures.");
    why = apisig_parse(request_header(&x->q, "Signature-Input"), request_header(&x->q, "Signature"),
                       &m, a);
    if (why)
        return refuse(reterr, why);
    if (!apisig_timely(a, now_us / US_PER_S))
        return refuse(reterr, "The signature's created is not within 300 s of this server's time.");
    s = keyring_verify(x->server->in.keys, a, &m, now_us, &x->arena, &x->q.principal);
    if (s == E_UNAUTHENTICATED)
        return refuse(reterr, "The signature is not that of a key that is valid here.");
    if (s == E_DATABASE_UNAVAILABLE)
        *reterr = "The keys were not read from the database yet.";
    if (s == STATUS_OK && a->digested) {
        x->signature = a;
        x->digest = apisig_body_new();
    }
    return s;
}

void signed_take_body(struct exchange *x, const void *bytes, size_t n) {
    if (x->digest)
        apisig_body_add(x->digest, bytes, n);
}

Status signed_check_body(struct exchange *x) {
    if (!x->signature || apisig_body_is(x->digest, x->signature->digest))
        return STATUS_OK;
    limit_failure(x);
    return refuse(&x->r.detail, "The body is not the one that Content-Digest was made of.");
}

Status signed_take_nonce(struct exchange *x) {
    Status s;

    if (!x->signature)
        return STATUS_OK;
    if (x->q.route->io_thread)
        return FAULT_BUG; /* it may not wait for the database */
    s = keyring_take_nonce(x->server->in.keys, x->signature, x->q.route->urgent);
    if (s != E_UNAUTHENTICATED)
        return s;
    limit_failure(x);
    return refuse(&x->r.detail, "This signature was used before: sign again, with another nonce.");
}

void signed_done(struct exchange *x) {
    apisig_body_free(x->digest);
    x->digest = NULL;
}
