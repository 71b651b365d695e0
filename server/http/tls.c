/* http/tls.c: libmicrohttpd speaks TLS by GnuTLS, and asks here which certificate to show.
 *
 * The guard needs nothing else than without TLS: it looks at headers that libmicrohttpd parsed. The
 * reaper ends a slow handshake, because a connection's first deadline begins when it is accepted.
 *
 * Threads: I/O threads take the current pair without a lock.  Pairs that were replaced stay until
 * the end: a handshake may still look at one, and a year has few of them. */
#include "http/tls.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN_MAX = 16, KEY_ID_BYTES = 32 };

struct pair {
    struct pair *older;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned n;
    gnutls_privkey_t key;
    int64_t until_us; /* when the first of the chain ends; 0: not known */
};

struct tls {
    _Atomic(struct pair *) now;
};

struct tls *tls_new(void) {
    return xcalloc(1, sizeof(struct tls));
}

static void pair_free(struct pair *p) {
    for (unsigned i = 0; i < p->n; i++)
        gnutls_pcert_deinit(&p->chain[i]);
    if (p->key)
        gnutls_privkey_deinit(p->key);
    free(p);
}

void tls_free(struct tls *t) {
    if (!t)
        return;
    for (struct pair *p = atomic_load(&t->now), *older; p; p = older) {
        older = p->older;
        pair_free(p);
    }
    free(t);
}

static gnutls_datum_t datum(const char *text) {
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
}

/* What is wrong with the pair; NULL. */
static const char *pair_read(struct pair *p, const char *cert_pem, const char *key_pem,
                             const char **ret_setting) {
    gnutls_datum_t cert = datum(cert_pem), key = datum(key_pem);
    unsigned n = CHAIN_MAX;
    int r = gnutls_pcert_list_import_x509_raw(p->chain, &n, &cert, GNUTLS_X509_FMT_PEM, 0);

    *ret_setting = "SLUICE_TLS_CERT";
    if (r < 0)
        return gnutls_strerror(r);
    p->n = n;
    if (n == 0)
        return "there is no certificate in it";
    *ret_setting = "SLUICE_TLS_KEY";
    r = gnutls_privkey_init(&p->key);
    if (r >= 0)
        r = gnutls_privkey_import_x509_raw(p->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
    return r < 0 ? gnutls_strerror(r) : NULL;
}

static bool key_id(gnutls_pubkey_t key, unsigned char ret[KEY_ID_BYTES]) {
    size_t n = KEY_ID_BYTES;

    return gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, ret, &n) >= 0;
}

/* Whether the key is that of the first certificate. */
static bool pair_fits(const struct pair *p) {
    unsigned char certified[KEY_ID_BYTES], given[KEY_ID_BYTES];
    gnutls_pubkey_t public;
    bool fits;

    if (gnutls_pubkey_init(&public) < 0)
        return false;
    fits = gnutls_pubkey_import_privkey(public, p->key, 0, 0) >= 0 && key_id(public, given) &&
           key_id(p->chain[0].pubkey, certified) && !memcmp(certified, given, KEY_ID_BYTES);
    gnutls_pubkey_deinit(public);
    return fits;
}

static void pair_look(struct pair *p) {
    gnutls_x509_crt_t cert;
    char until[TIME_TEXT];

    if (gnutls_pcert_export_x509(&p->chain[0], &cert) < 0)
        return;
    p->until_us = gnutls_x509_crt_get_expiration_time(cert) * US_PER_S;
    log_event(p->until_us < clock_now_us() ? LOG_WARNING : LOG_INFO, "certificate", "until",
              clock_format(p->until_us, until), NULL);
    gnutls_x509_crt_deinit(cert);
}

bool tls_use(struct tls *t, const char *cert_pem, const char *key_pem, char *reterr, size_t n) {
    struct pair *p = xcalloc(1, sizeof *p);
    const char *setting, *bad = pair_read(p, cert_pem, key_pem, &setting);

    if (!bad && !pair_fits(p))
        bad = "it is not the key of the first certificate of SLUICE_TLS_CERT";
    if (bad) {
        snprintf(reterr, n, "%s: %s", setting, bad);
        pair_free(p);
        return false;
    }
    pair_look(p);
    p->older = atomic_load(&t->now);
    atomic_store(&t->now, p);
    return true;
}

int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int authorities_n,
                 const gnutls_pk_algorithm_t *algorithms, int algorithms_n, gnutls_pcert_st **ret,
                 unsigned *ret_n, gnutls_privkey_t *ret_key) {
    struct MHD_Connection *connection = gnutls_session_get_ptr(session);
    const struct conn *c =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct pair *p = atomic_load(&c->tls->now);

    (void)authorities, (void)authorities_n, (void)algorithms, (void)algorithms_n;
    *ret = p->chain;
    *ret_n = p->n;
    *ret_key = p->key;
    return 0;
}

bool http_tls_use(struct http_server *s, const char *cert_pem, const char *key_pem, char *reterr,
                  size_t n) {
    return tls_use(s->tls, cert_pem, key_pem, reterr, n);
}

int64_t http_tls_until_us(const struct http_server *s) {
    const struct pair *p = s->tls ? atomic_load(&s->tls->now) : NULL;

    return p ? p->until_us : 0;
}

bool http_tls_check(const char *cert_pem, const char *key_pem, char *reterr, size_t n) {
    struct tls *t = tls_new();
    bool good = tls_use(t, cert_pem, key_pem, reterr, n);

    tls_free(t);
    return good;
}
