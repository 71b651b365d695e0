#include "kubesim/certs.h"
#include "base/cleanup.h"
#include "base/status.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEN_YEARS_S = 315360000 };

DEFINE_CLEANUP(X509_free, X509 *);
DEFINE_CLEANUP(EVP_PKEY_free, EVP_PKEY *);
DEFINE_CLEANUP(BIO_free, BIO *);
DEFINE_CLEANUP(fclose, FILE *);

char *folder_read(const char *dir, const char *name) {
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    _cleanup_(fclose) FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t n = 0;

    if (!f || getdelim(&text, &n, '\0', f) < 0) {
        free(text);
        return NULL;
    }
    return text;
}

void folder_write(const char *dir, const char *name, const char *text, bool secret) {
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    _cleanup_free_ char *next = xasprintf("%s/.%s.new", dir, name);
    int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, secret ? 0600 : 0644);
    size_t n = strlen(text);

    if (fd < 0 || write(fd, text, n) != (ssize_t)n || close(fd) || rename(next, path))
        die("kubesim: cannot write %s: %s", path, strerror(errno));
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!extension || !X509_add_ext(cert, extension, -1))
        die("kubesim: cannot make a certificate");
    X509_EXTENSION_free(extension);
}

static void set_serial(X509 *cert) {
    unsigned char random[8];
    uint64_t serial = 0;

    if (RAND_bytes(random, sizeof random) != 1)
        die("kubesim: no randomness");
    memcpy(&serial, random, sizeof serial);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1);
}

/* A certificate for `key`, signed by the issuer's key; the authority's own when issuer is NULL. */
static X509 *make_cert(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key) {
    X509 *cert = X509_new();
    X509_NAME *subject;

    if (!cert)
        die("out of memory");
    X509_set_version(cert, 2);
    set_serial(cert);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), TEN_YEARS_S);
    X509_set_pubkey(cert, key);
    subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject);
    add_extension(cert, issuer ? issuer : cert, NID_basic_constraints,
                  issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    add_extension(cert, issuer ? issuer : cert, NID_key_usage,
                  issuer ? "critical,digitalSignature" : "critical,keyCertSign,digitalSignature");
    add_extension(cert, issuer ? issuer : cert, NID_subject_key_identifier, "hash");
    if (issuer) {
        add_extension(cert, issuer, NID_ext_key_usage, "serverAuth");
        add_extension(cert, issuer, NID_subject_alt_name,
                      "IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,"
                      "DNS:kubernetes.default.svc");
    }
    if (!X509_sign(cert, issuer_key, EVP_sha256()))
        die("kubesim: cannot sign a certificate");
    return cert;
}

static char *bio_text(BIO *bio) {
    char *text;
    long n = BIO_get_mem_data(bio, &text);

    return xstrndup(text, (size_t)n);
}

static char *cert_text(X509 *cert) {
    _cleanup_(BIO_free) BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_X509(bio, cert);
    return bio_text(bio);
}

static char *key_text(EVP_PKEY *key) {
    _cleanup_(BIO_free) BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    return bio_text(bio);
}

static void make(struct certs *c, const char *dir) {
    _cleanup_(EVP_PKEY_free) EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    _cleanup_(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(X509_free) X509 *ca = NULL, *cert = NULL;

    if (!ca_key || !key)
        die("kubesim: cannot make a key");
    ca = make_cert("kubesim-ca", ca_key, NULL, ca_key);
    cert = make_cert("kubesim", key, ca, ca_key);
    *c = (struct certs){
        .ca_pem = cert_text(ca), .cert_pem = cert_text(cert), .key_pem = key_text(key)};
    folder_write(dir, "ca.crt", c->ca_pem, false);
    folder_write(dir, "tls.crt", c->cert_pem, false);
    folder_write(dir, "tls.key", c->key_pem, true);
}

struct certs certs_load(const char *dir) {
    struct certs c = {.ca_pem = folder_read(dir, "ca.crt"),
                      .cert_pem = folder_read(dir, "tls.crt"),
                      .key_pem = folder_read(dir, "tls.key")};

    if (!c.ca_pem || !c.cert_pem || !c.key_pem) {
        certs_done(&c);
        make(&c, dir);
    }
    return c;
}

void certs_done(struct certs *c) {
    free(c->ca_pem);
    free(c->cert_pem);
    free(c->key_pem);
    *c = (struct certs){0};
}
