/* auth/apikey.c: the one form of an API key. */
#include "auth/apikey.h"
#include "base/digest.h"
#include <stdio.h>
#include <string.h>

enum { PREFIX = 4, SECRET_AT = PREFIX + UUID_TEXT }; /* the '_' after the id has the NUL's place */

static const char prefix[PREFIX + 1] = "slk_";

char *apikey_make(const char *id, char text[APIKEY_TEXT]) {
    unsigned char secret[APIKEY_SECRET];
    char hex[2 * APIKEY_SECRET + 1];

    random_bytes(secret, sizeof secret);
    snprintf(text, APIKEY_TEXT, "%s%s_%s", prefix, id, hex_encode(secret, sizeof secret, hex));
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(hex, sizeof hex);
    return text;
}

bool apikey_claimed(const char *text) {
    return !strncmp(text, prefix, PREFIX);
}

bool apikey_parse(const char *text, char ret_id[UUID_TEXT]) {
    if (strnlen(text, APIKEY_TEXT) != APIKEY_TEXT - 1 || !apikey_claimed(text) ||
        text[SECRET_AT - 1] != '_' ||
        strspn(text + SECRET_AT, "0123456789abcdef") != 2 * (size_t)APIKEY_SECRET)
        return false;
    memcpy(ret_id, text + PREFIX, UUID_TEXT - 1);
    ret_id[UUID_TEXT - 1] = '\0';
    return uuid_valid(ret_id);
}

void apikey_digest(const char *text, unsigned char ret[APIKEY_DIGEST]) {
    digest_of(text, APIKEY_TEXT - 1, ret);
}
