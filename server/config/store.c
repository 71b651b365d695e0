/* config/store.c: from a setting's text to its field, strictly: what is not exactly right is
 * refused. */
#include "base/address.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "config/settings.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 4096, QUOTED_MAX = 60, ORIGIN_MAX = 300 };

static bool ip_literal(const char *s) {
    struct in6_addr to;

    return inet_pton(AF_INET, s, &to) == 1 || inet_pton(AF_INET6, s, &to) == 1;
}

static bool integer(const char *s, int64_t *ret) {
    const char *digits = s + (*s == '-');
    char *end;

    if (strspn(digits, "0123456789") != strlen(digits) || !*digits || (*digits == '0' && digits[1]))
        return false;
    errno = 0;
    *ret = strtoll(s, &end, 10);
    return errno == 0;
}

bool config_listen(const char *s, char ret_address[CONFIG_ADDRESS], int64_t *ret_port) {
    const char *colon = strrchr(s, ':'), *port = colon ? colon + 1 : s;
    size_t n = colon ? (size_t)(colon - s) : 0;
    bool bracketed = n > 2 && s[0] == '[' && s[n - 1] == ']';

    ret_address[0] = '\0';
    if (n >= CONFIG_ADDRESS || !integer(port, ret_port) || *ret_port < 0 || *ret_port > 65535)
        return false;
    snprintf(ret_address, CONFIG_ADDRESS, "%.*s", (int)(bracketed ? n - 2 : n), s + bracketed);
    return !colon || (ip_literal(ret_address) && bracketed == (strchr(ret_address, ':') != NULL));
}

/* "RATE,BURST", each from 1 to max, or "off". */
static bool rate(const char *s, int64_t max, struct config_rate *ret) {
    const char *comma = strchr(s, ',');
    _cleanup_free_ char *per_s = comma ? xstrndup(s, (size_t)(comma - s)) : NULL;

    *ret = (struct config_rate){0};
    if (!strcmp(s, "off"))
        return true;
    return comma && integer(per_s, &ret->per_s) && integer(comma + 1, &ret->burst) &&
           ret->per_s > 0 && ret->per_s <= max && ret->burst > 0 && ret->burst <= max;
}

static bool among(const char *words, const char *word) {
    size_t n = strlen(word);

    for (; words; words = strchr(words, '|') ? strchr(words, '|') + 1 : NULL)
        if (n && !strncmp(words, word, n) && (words[n] == '|' || !words[n]))
            return true;
    return false;
}

static bool url_valid(const char *s) {
    static const char *const schemes[] = {"https://", "http://"};

    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);

        if (!strncmp(s, schemes[i], n))
            return s[n] && s[n] != '/' && !strpbrk(s, " \"<>\\^`{|}");
    }
    return false;
}

static bool printable(const char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

const char *origins_bad(const char *origins) {
    if (!strcmp(origins, "*"))
        return NULL;
    for (const char *at = origins;; at++) {
        size_t n = strcspn(at, ","), scheme = !strncmp(at, "https://", 8)  ? 8
                                              : !strncmp(at, "http://", 7) ? 7
                                                                           : 0;

        if (!scheme || n == scheme || n > ORIGIN_MAX ||
            strcspn(at + scheme, "/?#* ,") != n - scheme)
            return at;
        at += n;
        if (!*at)
            return NULL;
    }
}

/* The first element of a list that is none of its kind; NULL: there is none. */
static const char *element_bad(const struct setting *s, const char *value) {
    return s->type == SETTING_CIDRS     ? cidrs_bad(value)
           : s->type == SETTING_ORIGINS ? origins_bad(value)
                                        : NULL;
}

/* What the value should have been. */
static char *wanted(const struct setting *s) {
    switch (s->type) {
    case SETTING_INT:
        return xasprintf("an integer from %" PRId64 " to %" PRId64, s->min, s->max);
    case SETTING_BOOL:
        return xstrdup("true, false, 1 or 0");
    case SETTING_RATE:
        return xasprintf("RATE,BURST, each from 1 to %" PRId64 ", or off", s->max);
    case SETTING_WORD:
        return xasprintf("one of %s", s->words);
    case SETTING_KEYS:
        return xasprintf("1 to %" PRId64 " keys, each 32 bytes in base64", s->max);
    case SETTING_PEM:
        return xstrdup("PEM");
    case SETTING_URL:
        return xstrdup("an http or https URL");
    case SETTING_ADDRESS:
        return xstrdup("an IP address such as 127.0.0.1 or ::");
    case SETTING_LISTEN:
        return xstrdup("PORT or ADDRESS:PORT, such as 9100, 127.0.0.1:9100 or [::1]:9100");
    case SETTING_CIDRS:
        return xstrdup("a list of CIDRs");
    case SETTING_ORIGINS:
        return xstrdup("a list of origins, or *");
    case SETTING_TEXT:
    case SETTING_DATABASE:
    case SETTING_HOSTNAME:
        break;
    }
    if (s->min)
        return xasprintf("a text of %" PRId64 " to %" PRId64 " bytes", s->min, s->max);
    return xasprintf("a text of at most %d bytes without control characters", TEXT_MAX);
}

/* Base64 of 32 bytes each; empty lines do not count. */
static bool keys_valid(const char *s, int64_t most) {
    enum { KEY_BYTES = 32, KEY_TEXT = 44 };
    int64_t n = 0;

    for (; *s; s += *s != '\0') {
        size_t length = strcspn(s, ",\n"), bytes = 0;
        const char *end = s + length;

        s += strspn(s, " \t\r");
        length = s < end ? strcspn(s, " \t\r,\n") : 0;
        if (length) {
            _cleanup_free_ char *text = xstrndup(s, length);
            _cleanup_free_ unsigned char *key = base64_decode(text, &bytes);

            if (length != KEY_TEXT || !key || bytes != KEY_BYTES || ++n > most ||
                strspn(s + length, " \t\r") != (size_t)(end - s) - length)
                return false;
            explicit_bzero(key, bytes);
            explicit_bzero(text, length);
        }
        s = end;
    }
    return n > 0;
}

static bool valid(const struct setting *s, const char *value) {
    size_t n = strlen(value);
    char address[CONFIG_ADDRESS];
    struct config_rate rate_;
    int64_t number;

    switch (s->type) {
    case SETTING_INT:
        return integer(value, &number) && number >= s->min && number <= s->max;
    case SETTING_BOOL:
        return among("true|false|1|0", value);
    case SETTING_RATE:
        return rate(value, s->max, &rate_);
    case SETTING_WORD:
        return among(s->words, value) && !strchr(value, '|');
    case SETTING_KEYS:
        return keys_valid(value, s->max);
    case SETTING_PEM:
        return n <= (size_t)(s->max ? s->max : TEXT_MAX) && strstr(value, "-----BEGIN ");
    case SETTING_URL:
        return n <= TEXT_MAX && printable(value) && url_valid(value);
    case SETTING_ADDRESS:
        return ip_literal(value);
    case SETTING_LISTEN:
        return config_listen(value, address, &number);
    case SETTING_CIDRS:
    case SETTING_ORIGINS:
        return n <= TEXT_MAX && !element_bad(s, value);
    case SETTING_HOSTNAME:
        return true;
    case SETTING_TEXT:
    case SETTING_DATABASE:
        break;
    }
    return n >= (size_t)s->min && n <= (size_t)(s->max ? s->max : TEXT_MAX) && printable(value);
}

static void *field(const struct setting *s, struct config *c) {
    return (char *)c + s->offset;
}

static void keep_text(const struct setting *s, const char *value, struct config *c) {
    char **at = field(s, c);

    free(*at);
    *at = xstrdup(value);
}

bool setting_store(const struct setting *s, const char *value, struct config *ret, char *reterr,
                   size_t n) {
    const char *bad = printable(value) ? element_bad(s, value) : NULL;

    if (bad) {
        snprintf(reterr, n, "%s: \"%.*s\" is no %s", s->name, (int)strcspn(bad, ","), bad,
                 s->type == SETTING_CIDRS ? "CIDR" : "origin");
        return false;
    }
    if (!valid(s, value)) {
        _cleanup_free_ char *right = wanted(s);

        if (s->secret || s->type == SETTING_DATABASE || !printable(value))
            snprintf(reterr, n, "%s: the value is not %s", s->name, right);
        else
            snprintf(reterr, n, "%s: \"%.*s\" is not %s", s->name, QUOTED_MAX, value, right);
        return false;
    }
    if (s->type == SETTING_INT)
        integer(value, (int64_t *)field(s, ret));
    else if (s->type == SETTING_BOOL)
        *(bool *)field(s, ret) = among("true|1", value);
    else if (s->type == SETTING_RATE)
        rate(value, s->max, field(s, ret));
    else if (s->type != SETTING_HOSTNAME || ip_literal(value))
        keep_text(s, value, ret);
    return true;
}

/* Whether its field is a text; n: the field's bytes otherwise. */
static bool is_text(const struct setting *s, size_t *ret_n) {
    *ret_n = s->type == SETTING_INT    ? sizeof(int64_t)
             : s->type == SETTING_BOOL ? sizeof(bool)
             : s->type == SETTING_RATE ? sizeof(struct config_rate)
                                       : 0;
    return *ret_n == 0;
}

static const void *field_of(const struct setting *s, const struct config *c) {
    return (const char *)c + s->offset;
}

bool setting_same(const struct setting *s, const struct config *a, const struct config *b) {
    const char *text_a, *text_b;
    size_t n;

    if (!is_text(s, &n))
        return !memcmp(field_of(s, a), field_of(s, b), n);
    text_a = *(char *const *)field_of(s, a);
    text_b = *(char *const *)field_of(s, b);
    return text_a == text_b || (text_a && text_b && !strcmp(text_a, text_b));
}

void setting_keep(const struct setting *s, const struct config *from, struct config *ret) {
    char **to = field(s, ret), *text;
    size_t n;

    if (!is_text(s, &n)) {
        memcpy(field(s, ret), field_of(s, from), n);
        return;
    }
    text = xstrdup(*(char *const *)field_of(s, from));
    free(*to);
    *to = text;
}

static char *rate_text(const struct config_rate *r) {
    return r->per_s ? xasprintf("%" PRId64 ",%" PRId64, r->per_s, r->burst) : xstrdup("off");
}

char *setting_text(const struct setting *s, const struct config *c) {
    const void *at = field_of(s, c);
    const char *text;

    if (s->type == SETTING_INT)
        return xasprintf("%" PRId64, *(const int64_t *)at);
    if (s->type == SETTING_BOOL)
        return xstrdup(*(const bool *)at ? "true" : "false");
    if (s->type == SETTING_RATE)
        return rate_text(at);
    text = *(char *const *)at;
    if (!text)
        return NULL;
    if (s->type == SETTING_DATABASE)
        return config_mask_database(text);
    return xstrdup(s->secret ? "***" : text);
}
