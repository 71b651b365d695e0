/* auth/ticket.c: base64url of an HMAC-SHA256 and what it covers, "NONCE EXPIRES WHAT".  Nonces that
 * were used are kept until they expire, in a table of fixed size: a ticket that finds no place
 * there counts as spent. */
#include "auth/ticket.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAC = 32, USED_BITS = 17, USED = 1 << USED_BITS, PROBES = 32, COVERED_MAX = 480 };

struct used {
    uint64_t nonce;
    int64_t until_us;
};

struct tickets {
    unsigned char key[MAC];
    pthread_mutex_t lock;
    struct used used[USED]; /* under lock */
};

static void mac_of(const unsigned char key[MAC], const char *text, size_t n,
                   unsigned char ret[MAC]) {
    unsigned length = 0;

    if (!HMAC(EVP_sha256(), key, MAC, (const unsigned char *)text, n, ret, &length) ||
        length != MAC)
        die("cannot make a MAC");
}

struct tickets *tickets_new(const char *secret) {
    static const char purpose[] = "sluice ticket 1";
    struct tickets *t = xcalloc(1, sizeof *t);
    unsigned length = 0;

    if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)purpose,
              sizeof purpose - 1, t->key, &length))
        die("cannot make a MAC");
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void tickets_free(struct tickets *t) {
    if (!t)
        return;
    explicit_bzero(t->key, sizeof t->key);
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

    random_bytes(&nonce, sizeof nonce);
    n = snprintf(covered, COVERED_MAX, "%016llx %lld %s", (unsigned long long)nonce,
                 (long long)(now_us + ttl_us), what);
    if (n >= COVERED_MAX)
        die("a ticket for too long a text");
    mac_of(t->key, covered, (size_t)n, bytes);
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
    mac_of(t->key, covered, (size_t)n - MAC, mac);
    if (CRYPTO_memcmp(mac, bytes, MAC) != 0)
        return TICKET_NONE;
    bytes[n] = '\0';
    nonce = strtoull(covered, &end, 16); /* we wrote it */
    until_us = strtoll(end, &end, 10);
    *ret_what = arena_strdup(arena, end + 1);
    return until_us > now_us && use(t, nonce, now_us, until_us) ? TICKET_GOOD : TICKET_SPENT;
}
