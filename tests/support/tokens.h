/* tests/support/tokens.h: tokens of any kind, good and hostile, and the keys that sign them. */
#pragma once
#include <openssl/evp.h>
#include <stddef.h>

/* NOW+n and NOW-n become seconds since 1970; yours. */
char *token_times(const char *claims);
/* A key pair; yours (EVP_PKEY_free). */
EVP_PKEY *token_rsa(unsigned bits);
EVP_PKEY *token_ec(const char *curve); /* "P-256" */
/* HEADER.CLAIMS.MAC with the times filled in; yours. */
char *token_mac(const EVP_MD *md, const char *secret, const char *header, const char *claims);
/* The same signed as RS256, or with r and s side by side. */
char *token_sign(EVP_PKEY *key, const EVP_MD *md, const char *header, const char *claims);
/* The base64url MAC of a text; yours. */
char *token_mac_of(const EVP_MD *md, const char *secret, const char *text);
char *token_pem(EVP_PKEY *key); /* its public half; yours */
char *token_pem_private(EVP_PKEY *key);
/* A JWK of its public half with further members (",\"use\":\"sig\"" or ""); kid NULL: none; yours.
 */
char *token_jwk(EVP_PKEY *key, const char *kid, const char *more);
