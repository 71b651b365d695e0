/* http/tls.h: the certificate that the listener shows, exchanged while it runs (internal to http/).
 */
#pragma once
#include <gnutls/abstract.h>
#include <stdbool.h>
#include <stddef.h>

/* TLS 1.2 and 1.3. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct tls;
struct tls *tls_new(void);
void tls_free(struct tls *t); /* NULL-safe; no connection may be left */
/* New connections get this chain (PEM, the server's own certificate first) and its key; false with
 * a line in reterr: what was stays.  One thread at a time. */
bool tls_use(struct tls *t, const char *cert_pem, const char *key_pem, char *reterr, size_t n);
/* A gnutls_certificate_retrieve_function2 of sessions whose connection has a struct conn. */
int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int authorities_n,
                 const gnutls_pk_algorithm_t *algorithms, int algorithms_n, gnutls_pcert_st **ret,
                 unsigned *ret_n, gnutls_privkey_t *ret_key);
