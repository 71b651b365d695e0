/* auth/issuers.c: the issuers' file.  Everything in it is checked at the start, so that a token
 * never meets a mistake in the configuration. */
#include "auth/issuers.h"
#include "auth/keyring.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/strbuf.h"
#include <libgen.h>
#include <stdio.h>
#include <string.h>

enum {
    FILE_BYTES = 256 << 10,
    SECRET_BYTES = 4096,
    TEXT_MAX = 255,
    URL_TEXT_MAX = 2048,
    AUDIENCES_MAX = 16,
    FIELD = 96
};

bool issuer_bad(const struct issuer_reader *r, const char *field, const char *format, ...) {
    const char *name = r->number ? r->all->list[r->number].name : NULL;
    char what[256], where[TEXT_MAX + 32] = "";
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (name)
        snprintf(where, sizeof where, ": issuer %zu (%s)", r->number, name);
    else if (r->number)
        snprintf(where, sizeof where, ": issuer %zu", r->number);
    snprintf(r->reterr, r->n, "SLUICE_ISSUERS_FILE: %s%s%s%s: %s", r->path, where,
             field ? ": " : "", field ? field : "", what);
    text_one_line(r->reterr);
    return false;
}

static bool listed(const char *const *list, const char *text) {
    for (; *list; list++)
        if (!strcmp(*list, text))
            return true;
    return false;
}

bool issuer_fields(const struct issuer_reader *r, const json_t *object, const char *field,
                   const char *const *known) {
    json_t *in = (json_t *)(uintptr_t)object; /* the iterator only reads */
    char name[FIELD];
    const char *key;
    json_t *value;

    json_object_foreach(in, key, value) {
        snprintf(name, sizeof name, "%s%s", field, key);
        if (!listed(known, key))
            return issuer_bad(r, name, "there is no such field");
    }
    return true;
}

/* Printable ASCII without spaces, of 1 to max bytes. */
static bool plain(const char *s, size_t max) {
    size_t n = strlen(s);

    if (n < 1 || n > max)
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s > '~')
            return false;
    return true;
}

bool claim_name_valid(const json_t *name) {
    const char *s = json_string_value(name);

    return s && plain(s, TEXT_MAX) && strcmp(s, "/") != 0;
}

static const char *audience_bad(const char *text) {
    return plain(text, TEXT_MAX) ? NULL
                                 : "an audience is 1 to 255 printable characters without spaces";
}

const char *const *issuer_strings(const struct issuer_reader *r, const json_t *v, const char *field,
                                  bool single, size_t max, const char *(*bad)(const char *)) {
    bool alone = single && json_is_string(v);
    size_t n = alone ? 1 : json_array_size(v);
    const char **list;

    if (n < 1 || n > max) {
        issuer_bad(r, field, "%sa list of 1 to %zu strings is needed", single ? "a string or " : "",
                   max);
        return NULL;
    }
    list = arena_alloc(&r->all->arena, (n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(alone ? v : json_array_get(v, i));
        const char *why = text ? bad(text) : "it is no string";

        if (why) {
            issuer_bad(r, field, "%s", why);
            return NULL;
        }
        list[i] = text;
    }
    return list;
}

/* Files are named from where the issuers' file lies. */
static const char *beside(const struct issuer_reader *r, const char *name) {
    _cleanup_free_ char *copy = xstrdup(r->path);

    return *name == '/' ? name : arena_printf(&r->all->arena, "%s/%s", dirname(copy), name);
}

/* ---- keys ---- */

static bool secret_read(const struct issuer_reader *r, const char *path, struct issuer *ret) {
    char line[300];
    char *text = file_text(path, SECRET_BYTES, line, sizeof line);
    size_t n = text ? strlen(text) : 0;
    bool pem = text && !strncmp(text, "-----BEGIN", 10);

    if (!text)
        return issuer_bad(r, "key/secret_file", "%s", line);
    if (n > 0 && text[n - 1] == '\n')
        n--;
    if (n > 0 && text[n - 1] == '\r')
        n--;
    ret->secret = (const unsigned char *)text;
    ret->secret_len = n;
    if (pem)
        return issuer_bad(r, "key/secret_file", "%s: a PEM file is no secret", path);
    if (n < AUTH_SECRET_MIN)
        return issuer_bad(r, "key/secret_file", "%s: a secret has at least %d bytes", path,
                          AUTH_SECRET_MIN);
    return true;
}

static bool ca_read(const struct issuer_reader *r, const char *path, const char **ret) {
    char line[300];
    _cleanup_free_ char *text = file_text(path, FILE_BYTES, line, sizeof line);

    if (!text)
        return issuer_bad(r, "key/ca_file", "%s", line);
    if (!strstr(text, "-----BEGIN CERTIFICATE-----"))
        return issuer_bad(r, "key/ca_file", "%s: it holds no certificate in PEM", path);
    *ret = arena_strdup(&r->all->arena, text);
    return true;
}

/* The one member of `key` that says where the keys are; NULL with the line written. */
static const char *place_of(const struct issuer_reader *r, const json_t *key, bool hmac) {
    static const char *const places[] = {"secret_file", "pem_file", "jwks_file", "jwks_url"};
    const char *place = NULL;
    size_t found = 0;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (json_object_get(key, places[i])) {
            place = places[i];
            found++;
        }
    }
    if (found != 1)
        issuer_bad(r, "key", "one of secret_file, pem_file, jwks_file and jwks_url is needed");
    else if (hmac != !strcmp(place, "secret_file"))
        issuer_bad(r, "key",
                   hmac ? "HS256 needs secret_file"
                        : "secret_file is for HS256 only; the others have public keys");
    else if (!plain(json_str(key, place, ""), URL_TEXT_MAX))
        issuer_bad(r, "key", "%s is no name of a file or URL", place);
    else
        return place;
    return NULL;
}

static bool url_valid(const char *url) {
    return !strncmp(url, "https://", 8) && url[8] && url[8] != '/' && !strchr(url, '@') &&
           !strchr(url, '#');
}

static bool public_keys(const struct issuer_reader *r, const json_t *key, const char *place,
                        struct issuer *ret) {
    const char *text = json_str(key, place, ""), *ca = json_str(key, "ca_file", NULL);
    struct key_origin from = {.issuer = ret->name, .alg = ret->alg};
    char line[400], field[FIELD];

    if (!strcmp(place, "jwks_url"))
        from.jwks_url = text;
    else if (!strcmp(place, "jwks_file"))
        from.jwks_file = beside(r, text);
    else
        from.pem_file = beside(r, text);
    if (from.jwks_url && !url_valid(text))
        return issuer_bad(r, "key/jwks_url", "an https URL is needed");
    if (json_object_get(key, "ca_file") && (!from.jwks_url || !ca))
        return issuer_bad(r, "key/ca_file", "a file's name is needed, and jwks_url beside it");
    if (ca && !ca_read(r, beside(r, ca), &from.ca_pem))
        return false;
    ret->keys = jwks_add(r->all->jwks, &from);
    snprintf(field, sizeof field, "key/%s", place);
    return from.jwks_url || jwks_load(ret->keys, line, sizeof line) ||
           issuer_bad(r, field, "%s", line);
}

static bool key_read(const struct issuer_reader *r, const json_t *key, struct issuer *ret) {
    static const char *const known[] = {"secret_file", "pem_file", "jwks_file",
                                        "jwks_url",    "ca_file",  NULL};
    bool hmac = !strcmp(ret->alg, "HS256");
    const char *place;

    if (!json_is_object(key))
        return issuer_bad(r, "key", "an object is needed");
    if (!issuer_fields(r, key, "key/", known))
        return false;
    place = place_of(r, key, hmac);
    if (!place)
        return false;
    if (!hmac)
        return public_keys(r, key, place, ret);
    if (json_object_get(key, "ca_file"))
        return issuer_bad(r, "key/ca_file", "it is for jwks_url only");
    return secret_read(r, beside(r, json_str(key, place, "")), ret);
}

/* ---- an issuer ---- */

static bool name_read(const struct issuer_reader *r, const json_t *in, struct issuer *ret) {
    const char *name = json_str(in, "issuer", "");

    if (!plain(name, TEXT_MAX))
        return issuer_bad(r, "issuer", "1 to 255 printable characters without spaces are needed");
    ret->name = name;
    if (!strcmp(name, AUTH_ISSUER) || !strcmp(name, KEY_ISSUER))
        return issuer_bad(r, "issuer", "this is the name of the built-in issuer");
    return true;
}

static bool algorithm_read(const struct issuer_reader *r, const json_t *in, struct issuer *ret) {
    static const char *const algs[] = {"HS256", "RS256", "ES256", NULL};
    const char *alg = json_str(in, "algorithm", ""), *why;
    const json_t *type = json_object_get(in, "type");
    const char *text = type ? json_str(in, "type", "") : "JWT";

    if (!listed(algs, alg))
        return issuer_bad(r, "algorithm", "RS256, ES256 or HS256 is needed");
    if (issuers_find(r->all, ret->name, alg, &why))
        return issuer_bad(r, "algorithm", "this issuer is there already with the same algorithm");
    ret->alg = alg;
    ret->access_tokens = !strcmp(text, "at+jwt");
    if (!ret->access_tokens && strcmp(text, "JWT") != 0)
        return issuer_bad(r, "type", "JWT or at+jwt is needed");
    if (ret->access_tokens && !strcmp(alg, "HS256"))
        return issuer_bad(r, "type", "at+jwt needs RS256 or ES256");
    return true;
}

static bool claim_read(const struct issuer_reader *r, const json_t *in, const char *field,
                       const char **ret) {
    const json_t *v = json_object_get(in, field);

    if (v && !claim_name_valid(v))
        return issuer_bad(r, field, "the name of a claim, or a JSON pointer to one, is needed");
    *ret = json_string_value(v);
    return true;
}

static bool issuer_read(const struct issuer_reader *r, const json_t *in, struct issuer *ret) {
    static const char *const known[] = {"issuer", "audience", "algorithm",     "type",
                                        "key",    "rules",    "subject_claim", "display_name_claim",
                                        NULL};

    if (!json_is_object(in))
        return issuer_bad(r, NULL, "an object is needed");
    if (!name_read(r, in, ret) || !issuer_fields(r, in, "", known) || !algorithm_read(r, in, ret) ||
        !claim_read(r, in, "subject_claim", &ret->subject) ||
        !claim_read(r, in, "display_name_claim", &ret->display_name))
        return false;
    ret->audiences = issuer_strings(r, json_object_get(in, "audience"), "audience", true,
                                    AUDIENCES_MAX, audience_bad);
    return ret->audiences && rules_read(r, json_object_get(in, "rules"), ret) &&
           key_read(r, json_object_get(in, "key"), ret);
}

static bool file_read(struct issuer_reader *r) {
    static const char *const known[] = {"issuers", NULL};
    _cleanup_free_ char *text = file_text(r->path, FILE_BYTES, r->reterr, r->n);
    const json_t *list, *one;
    json_error_t error;
    size_t i;

    if (!text) {
        _cleanup_free_ char *line = xstrdup(r->reterr);

        snprintf(r->reterr, r->n, "SLUICE_ISSUERS_FILE: %s", line);
        return false;
    }
    r->all->file = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!r->all->file)
        return issuer_bad(r, NULL, "line %d: %s", error.line, error.text);
    list = json_object_get(r->all->file, "issuers");
    if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > ISSUERS_MAX)
        return issuer_bad(r, "issuers", "a list of 1 to %d issuers is needed", ISSUERS_MAX);
    if (!issuer_fields(r, r->all->file, "", known))
        return false;
    json_array_foreach(list, i, one) {
        r->number = i + 1;
        if (!issuer_read(r, one, &r->all->list[r->number]))
            return false;
        r->all->n = r->number + 1;
    }
    return true;
}

struct issuers *issuers_new(const struct auth_settings *in, char *reterr, size_t n) {
    static const char *const audiences[] = {AUTH_ISSUER, NULL};
    struct issuers *all = xcalloc(1, sizeof *all);
    struct issuer_reader r = {.all = all, .path = in->issuers_file, .reterr = reterr, .n = n};
    char *secret = xstrdup(in->jwt_secret ? in->jwt_secret : "");

    all->jwks = jwks_new(in);
    all->list[0] = (struct issuer){.name = AUTH_ISSUER,
                                   .audiences = audiences,
                                   .alg = "HS256",
                                   .secret = (const unsigned char *)secret,
                                   .secret_len = strlen(secret)};
    all->n = 1;
    if (strlen(secret) < AUTH_SECRET_MIN)
        snprintf(reterr, n, "JWT_SECRET has fewer than %d bytes", AUTH_SECRET_MIN);
    else if (!in->issuers_file || file_read(&r))
        return all;
    issuers_free(all);
    return NULL;
}

void issuers_free(struct issuers *all) {
    if (!all)
        return;
    issuers_free(all->older);
    jwks_free(all->jwks);
    for (size_t i = 0; i <= ISSUERS_MAX; i++) {
        char *secret = (char *)(uintptr_t)all->list[i].secret;

        if (secret)
            explicit_bzero(secret, strlen(secret));
        free(secret);
    }
    json_decref(all->file);
    arena_done(&all->arena);
    free(all);
}

const struct issuer *issuers_find(const struct issuers *all, const char *name, const char *alg,
                                  const char **reterr) {
    *reterr = "The token's issuer is not accepted.";
    for (size_t i = 0; i < all->n; i++) {
        if (strcmp(all->list[i].name, name) != 0)
            continue;
        if (!strcmp(all->list[i].alg, alg))
            return &all->list[i];
        *reterr = "The token's algorithm is not the issuer's.";
    }
    return NULL;
}
