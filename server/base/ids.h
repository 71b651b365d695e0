/* base/ids.h: identifiers, random bytes, digests and their text forms. */
#pragma once
#include "base/status.h"
#include <stdbool.h>

enum { UUID_TEXT = 37, SHA256_HEX = 65 };

/* A UUID version 7 (RFC 9562 §5.7): ordered by the time of its making.  Returns `text`.  Any
 * thread. */
char *uuid_v7(char text[UUID_TEXT]);
/* Whether `s` is a UUID in lower-case canonical form. */
bool uuid_valid(const char *s);
/* Whether `s` is a name as api.md has it: [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])? */
bool name_valid(const char *s);

void random_bytes(void *ret, size_t n);
/* Random bytes that need only differ from all others, not stay secret: cheaper. */
void unique_bytes(void *ret, size_t n);
double random_unit(void); /* uniform in [0, 1): for jitter, never for secrets */
char *hex_encode(const void *bytes, size_t n,
                 char *text); /* lower case; text holds 2n+1; returns it */
/* Lower-case hex SHA-256.  Returns `text`. */
char *sha256_hex(const void *bytes, size_t n, char text[SHA256_HEX]);
/* Strict base64url without padding (RFC 4648 §5).  Decode: the length, or -1; `ret` holds at least
 * 3*(n/4)+2. */
long base64url_decode(const char *text, size_t n, unsigned char *ret);
char *base64url_encode(const void *bytes, size_t n); /* yours */
/* Standard base64 with padding (RFC 4648 §4), as kubeconfig files carry.  Decode: yours,
 * NUL-terminated; NULL if bad. */
unsigned char *base64_decode(const char *text, size_t *ret_n);
