/* auth/apikey.h: API keys as text: slk_ID_SECRET.
 *
 *     slk_01a20fd5-94fa-7c3e-8a51-6f0c2c4b7d10_5f0e…   64 lower-case hex digits: 256 random bits
 *
 * ID is the key's own id: whoever finds a text that got out knows which key to revoke.  There is
 * one text for one secret, of one length and alphabet, so that what is no key is refused before
 * anything is looked up.
 *
 * What is stored is the SHA-256 of the whole text.  A slow hash is for what people choose; nobody
 * guesses 256 random bits, and the digest is taken on every request.  Since the id is part of it, a
 * digest that is moved to another key's row opens nothing. */
#pragma once
#include "base/ids.h"

enum {
    APIKEY_SECRET = 32, /* random bytes */
    APIKEY_DIGEST = 32,
    APIKEY_TEXT = 4 + (UUID_TEXT - 1) + 1 + 2 * APIKEY_SECRET + 1, /* with its NUL */
};

/* A new key of that id into `text`; returns it. */
char *apikey_make(const char *id, char text[APIKEY_TEXT]);
/* Whether the text says that it is an API key: tokens do not begin so. */
bool apikey_claimed(const char *text);
/* The id of a text that has the form; false when it has not.  Any length, any bytes. */
bool apikey_parse(const char *text, char ret_id[UUID_TEXT]);
/* The digest of a text that has the form.  Any thread. */
void apikey_digest(const char *text, unsigned char ret[APIKEY_DIGEST]);
