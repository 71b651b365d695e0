/* kubesim/certs.h: the certificate authority and server certificate of a simulated cluster, kept in
 * its folder and used again by the next start. */
#pragma once
#include <stdbool.h>

struct certs {
    char *ca_pem, *cert_pem, *key_pem; /* owned: certs_done() */
};
/* Loads ca.crt, tls.crt, tls.key from `dir`, or makes and writes them.  Ends the process when it
 * cannot. */
struct certs certs_load(const char *dir);
void certs_done(struct certs *c);
static inline void certs_done_cleanup(struct certs *c) {
    certs_done(c);
}

/* A file of `dir` as text, yours; NULL when it cannot be read. */
char *folder_read(const char *dir, const char *name);
/* Writes a file whole or not at all; ends the process when it cannot. */
void folder_write(const char *dir, const char *name, const char *text, bool secret);
