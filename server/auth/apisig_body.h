/* auth/apisig_body.h: the SHA-256 of a body, taken while its pieces arrive.  One thread at a time.
 */
#pragma once
#include "auth/apisig.h"

struct apisig_body;
struct apisig_body *apisig_body_new(void);
void apisig_body_add(struct apisig_body *b, const void *bytes, size_t n);
/* Whether everything that was added has this digest; nothing can be added any more. */
bool apisig_body_is(struct apisig_body *b, const unsigned char digest[APISIG_BYTES]);
void apisig_body_free(struct apisig_body *b); /* NULL-safe */
