/* auth/ticket.c: base64url of an HMAC-SHA256 and what it covers, "NONCE EXPIRES WHAT".  Nonces that
 * were used are kept until they expire, in a table of fixed size: a ticket that finds no place
 * there counts as spent. */
#include "auth/ticket.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAC = 32, USED_BITS = 17, USED = 1 << USED_BITS, PROBES = 32, COVERED_MAX = 480 };

static char digest_name[] = "SHA256";

struct used {
    uint64_t nonce;
    int64_t until_us;
};

struct tickets {
    EVP_MAC_CTX *keyed; /* copied for each MAC: setting one up costs more than a short MAC */
    pthread_mutex_t lock;
    struct used used[USED]; /* under lock */
};

static EVP_MAC_CTX *keyed_with(const unsigned char *key, size_t n) {
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
                           OSSL_PARAM_END};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);

    EVP_MAC_free(hmac);
    if (!ctx || EVP_MAC_init(ctx, key, n, params) != 1)
        die("cannot make a MAC");
    return ctx;
}

static void mac_of(const EVP_MAC_CTX *keyed, const void *text, size_t n, unsigned char ret[MAC]) {
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(keyed);
    size_t length = 0;

    if (!ctx || EVP_MAC_update(ctx, text, n) != 1 || EVP_MAC_final(ctx, ret, &length, MAC) != 1 ||
        length != MAC)
        die("cannot make a MAC");
    EVP_MAC_CTX_free(ctx);
}

struct tickets *tickets_new(const char *secret) {
    static const char purpose[] = "sluice ticket 1";
    struct tickets *t = xcalloc(1, sizeof *t);
    EVP_MAC_CTX *derive = keyed_with((const unsigned char *)secret, strlen(secret));
    unsigned char key[MAC];

    mac_of(derive, purpose, sizeof purpose - 1, key);
    t->keyed = keyed_with(key, sizeof key);
    explicit_bzero(key, sizeof key);
    EVP_MAC_CTX_free(derive);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void tickets_free(struct tickets *t) {
    if (!t)
        return;
    EVP_MAC_CTX_free(t->keyed);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

const char *ticket_make(const struct tickets *t, const char *what, int64_t now_us, int64_t ttl_us,
                        struct arena *arena) {
    unsigned char bytes[MAC + COVERED_MAX];
    char *covered = (char *)bytes + MAC;
    _cleanup_free_ char *text = NULL;
    uint64_t nonce;
    int n;

    unique_bytes(&nonce, sizeof nonce);
    n = snprintf(covered, COVERED_MAX, "%016llx %lld %s", (unsigned long long)nonce,
                 (long long)(now_us + ttl_us), what);
    if (n >= COVERED_MAX)
        die("a ticket for too long a text");
    mac_of(t->keyed, covered, (size_t)n, bytes);
    text = base64url_encode(bytes, MAC + (size_t)n);
    return arena_strdup(arena, text);
}

/* Whether the nonce is new; it is used from now on. */
static bool use(struct tickets *t, uint64_t nonce, int64_t now_us, int64_t until_us) {
    struct used *free_slot = NULL;
    bool seen = false;

    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < PROBES && !seen; i++) {
        struct used *slot = &t->used[(nonce + i) % USED];

        seen = slot->nonce == nonce && slot->until_us > now_us;
        if (!free_slot && slot->until_us <= now_us)
            free_slot = slot;
    }
    if (!seen && free_slot)
        *free_slot = (struct used){nonce, until_us};
    pthread_mutex_unlock(&t->lock);
    return !seen && free_slot;
}

TicketVerdict ticket_take(struct tickets *t, const char *text, int64_t now_us, struct arena *arena,
                          const char **ret_what) {
    unsigned char bytes[TICKET_TEXT_MAX + 4], mac[MAC];
    size_t length = strlen(text);
    long n = length <= TICKET_TEXT_MAX ? base64url_decode(text, length, bytes) : -1;
    char *covered = (char *)bytes + MAC, *end;
    unsigned long long nonce;
    long long until_us;

    if (n <= MAC)
        return TICKET_NONE;
    mac_of(t->keyed, covered, (size_t)n - MAC, mac);
    if (CRYPTO_memcmp(mac, bytes, MAC) != 0)
        return TICKET_NONE;
    bytes[n] = '\0';
    nonce = strtoull(covered, &end, 16); /* we wrote it */
    until_us = strtoll(end, &end, 10);
    *ret_what = arena_strdup(arena, end + 1);
    return until_us > now_us && use(t, nonce, now_us, until_us) ? TICKET_GOOD : TICKET_SPENT;
}
