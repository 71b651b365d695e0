#include "base/ids.h"
#include "base/clock.h"
#include "base/digest.h"
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void random_bytes(void *ret, size_t n) {
    if (n > INT32_MAX || RAND_bytes(ret, (int)n) != 1)
        die("no random bytes to be had");
}

double random_unit(void) {
    uint32_t r;

    random_bytes(&r, sizeof r);
    return r / 4294967296.0;
}

char *hex_encode(const void *bytes, size_t n, char *text) {
    const unsigned char *b = bytes;

    for (size_t i = 0; i < n; i++) {
        text[2 * i] = hex_digits[b[i] >> 4];
        text[2 * i + 1] = hex_digits[b[i] & 15];
    }
    text[2 * n] = '\0';
    return text;
}

char *sha256_hex(const void *bytes, size_t n, char text[SHA256_HEX]) {
    unsigned char digest[SHA256_BYTES];

    digest_of(bytes, n, digest);
    return hex_encode(digest, sizeof digest, text);
}

void unique_bytes(void *ret, size_t n) {
    /* asking OpenSSL costs the same for 16 bytes as for many */
    static _Thread_local unsigned char supply[512];
    static _Thread_local size_t left;

    if (n > sizeof supply)
        die("so many bytes are not an id");
    if (left < n) {
        random_bytes(supply, sizeof supply);
        left = sizeof supply;
    }
    left -= n;
    memcpy(ret, supply + left, n);
}

char *uuid_v7(char text[UUID_TEXT]) {
    static const size_t dash_before[] = {4, 6, 8, 10};
    uint64_t ms = (uint64_t)(clock_now_us() / US_PER_MS);
    unsigned char b[16];
    char *out = text;

    unique_bytes(b, sizeof b);
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (40 - 8 * i));
    b[6] = (unsigned char)(0x70 | (b[6] & 0x0f));
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    for (size_t i = 0, d = 0; i < sizeof b; i++) {
        if (d < 4 && i == dash_before[d]) {
            *out++ = '-';
            d++;
        }
        hex_encode(&b[i], 1, out);
        out += 2;
    }
    return text;
}

bool uuid_valid(const char *s) {
    for (int i = 0; i < UUID_TEXT - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (!s[i] || (dash ? s[i] != '-' : !strchr(hex_digits, s[i])))
            return false;
    }
    return s[UUID_TEXT - 1] == '\0';
}

static bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool name_valid(const char *s) {
    size_t n = strlen(s);

    if (n < 1 || n > 63 || !name_char(s[0]) || !name_char(s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!name_char(s[i]) && s[i] != '-')
            return false;
    return true;
}

long base64url_decode(const char *text, size_t n, unsigned char *ret) {
    uint32_t bits = 0;
    long out = 0;
    int have = 0;

    if (n % 4 == 1)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const char *at = text[i] ? strchr(url_alphabet, text[i]) : NULL;

        if (!at)
            return -1;
        bits = bits << 6 | (uint32_t)(at - url_alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            ret[out++] = (unsigned char)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    return bits ? -1 : out; /* left-over bits that are not zero: a second text of the same bytes */
}

char *base64url_encode(const void *bytes, size_t n) {
    const unsigned char *b = bytes;
    char *text = xmalloc(n * 4 / 3 + 4), *out = text;
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | b[i];
        have += 8;
        while (have >= 6) {
            have -= 6;
            *out++ = url_alphabet[(bits >> have) & 63];
        }
    }
    if (have)
        *out++ = url_alphabet[(bits << (6 - have)) & 63];
    *out = '\0';
    return text;
}

unsigned char *base64_decode(const char *text, size_t *ret_n) {
    size_t n = strlen(text), pad = 0;
    unsigned char *bytes;
    int got;

    if (n % 4 || n > INT32_MAX)
        return NULL;
    while (pad < 2 && pad < n && text[n - 1 - pad] == '=')
        pad++;
    bytes = xmalloc(n / 4 * 3 + 1);
    got = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)n);
    if (got < 0) {
        free(bytes);
        return NULL;
    }
    *ret_n = (size_t)got - pad;
    bytes[*ret_n] = '\0';
    return bytes;
}
