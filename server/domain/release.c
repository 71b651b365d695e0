#include "domain/release.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include <string.h>

static bool lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool word_char(char c) {
    return lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool hex(const char *s, size_t least, size_t most) {
    size_t n = strspn(s, "0123456789abcdef");

    return s[n] == '\0' && n >= least && n <= most;
}

bool image_digest_valid(const char *digest) {
    return !strncmp(digest, "sha256:", 7) && hex(digest + 7, 64, 64);
}

bool commit_valid(const char *commit) {
    return hex(commit, 7, 64);
}

/* host[:port], the first part of a repository when it has a dot, a port, or is localhost. */
static bool registry_valid(const char *s, size_t n) {
    const char *colon = memchr(s, ':', n);
    size_t host = colon ? (size_t)(colon - s) : n, port = colon ? n - host - 1 : 1;

    if (host == 0 || port < 1 || port > 5)
        return false;
    if (colon && strspn(colon + 1, "0123456789") < port)
        return false;
    for (size_t i = 0; i < host; i++) {
        bool inner = i > 0 && i + 1 < host && s[i - 1] != '.' && s[i + 1] != '.';

        if (s[i] == '_' || !(word_char(s[i]) || (inner && strchr(".-", s[i]))))
            return false;
    }
    return true;
}

/* [a-z0-9]+ joined by one dot, one or two underscores, or any number of dashes. */
static bool component_valid(const char *s, size_t n) {
    size_t i = 0;

    while (i < n) {
        size_t joint = 0;

        if (!lower_or_digit(s[i]))
            return false;
        while (i < n && lower_or_digit(s[i]))
            i++;
        if (i == n)
            return true;
        while (i + joint < n && s[i + joint] == s[i] && strchr("._-", s[i]))
            joint++;
        if (joint == 0 || (s[i] == '.' && joint > 1) || (s[i] == '_' && joint > 2))
            return false;
        i += joint;
    }
    return false;
}

static bool repository_valid(const char *s, size_t n) {
    bool first = true;

    while (n) {
        size_t part = 0;
        bool registry;

        while (part < n && s[part] != '/')
            part++;
        registry = first && part < n &&
                   (memchr(s, '.', part) || memchr(s, ':', part) ||
                    (part == 9 && !memcmp(s, "localhost", 9)));
        if (!(registry ? registry_valid(s, part) : component_valid(s, part)))
            return false;
        first = false;
        if (part == n)
            return true;
        s += part + 1;
        n -= part + 1;
    }
    return false;
}

static bool tag_valid(const char *s, size_t n) {
    if (n < 1 || n > 128 || !word_char(s[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!word_char(s[i]) && s[i] != '.' && s[i] != '-')
            return false;
    return true;
}

bool image_reference_valid(const char *image, const char **ret_digest) {
    size_t n = strlen(image), repository;
    const char *at = strchr(image, '@'), *slash, *colon;

    *ret_digest = at ? at + 1 : NULL;
    if (n < 1 || n > IMAGE_MAX || (at && !image_digest_valid(at + 1)))
        return false;
    n = at ? (size_t)(at - image) : n;
    slash = memrchr(image, '/', n);
    colon = memrchr(image, ':', n);
    repository = colon && (!slash || colon > slash) ? (size_t)(colon - image) : n;
    if (repository < n && !tag_valid(colon + 1, n - repository - 1))
        return false;
    return repository_valid(image, repository);
}

static void put(struct strbuf *out, const char *name, const char *value) {
    value = value ? value : "";
    strbuf_addf(out, "%s %zu\n", name, strlen(value));
    strbuf_adds(out, value);
    strbuf_adds(out, "\n");
}

static void put_list(struct strbuf *out, const char *name, const json_t *list) {
    _cleanup_free_ char *text = list ? json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    put(out, name, text ? text : "[]");
}

char *release_canonical_text(const struct release_content *in) {
    struct strbuf out = STRBUF(16 * 1024 * 1024);

    strbuf_adds(&out, "sluice release 1\n");
    put(&out, "version", in->semver.key);
    put(&out, "image", in->image);
    put(&out, "digest", in->digest);
    put(&out, "commit", in->commit);
    put(&out, "manifests", in->manifests);
    put_list(&out, "migrations", in->migrations);
    put_list(&out, "flags", in->flags);
    return strbuf_take(&out);
}

char *release_content_digest(const struct release_content *in, char text[SHA256_HEX]) {
    _cleanup_free_ char *canonical = release_canonical_text(in);

    return sha256_hex(canonical, strlen(canonical), text);
}
