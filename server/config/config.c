/* config/config.c: settings from where they are given, at the start and again at a reload. */
#include "config/config.h"
#include "base/cleanup.h"
#include "base/note.h"
#include "config/env_file.h"
#include "config/settings.h"
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 10 };

static bool refuse(char *reterr, size_t n, const char *format, ...) PRINTF(3, 4);
static bool refuse(char *reterr, size_t n, const char *format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(reterr, n, format, args);
    va_end(args);
    return false;
}

/* Yours.  An empty value counts as unset: compose files pass those. */
static char *environment(const struct config *c, const char *name) {
    const char *value = getenv(name); /* which nobody changes */

    if (value && *value)
        return xstrdup(value);
    return c->env_text ? env_file_get(c->env_text, name) : NULL;
}

static ssize_t read_all(int fd, char *bytes, size_t max) {
    size_t have = 0;

    while (have < max) {
        ssize_t n = read(fd, bytes + have, max - have);

        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return -1;
        have += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)have;
}

/* The content of a NAME_FILE without its trailing newline; yours; NULL with a line. */
static char *content_of(const char *name, const char *path, char *reterr, size_t n) {
    _cleanup_free_ char *bytes = xmalloc(FILE_MAX + 2);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t have = fd < 0 ? -1 : read_all(fd, bytes, FILE_MAX + 1);
    int failed = errno;

    if (fd >= 0)
        close(fd);
    if (have < 0)
        refuse(reterr, n, "%s_FILE: cannot read %s: %s", name, path, strerror(failed));
    else if (have > FILE_MAX)
        refuse(reterr, n, "%s_FILE: %s is longer than 64 KiB", name, path);
    else if (memchr(bytes, '\0', (size_t)have))
        refuse(reterr, n, "%s_FILE: %s holds a NUL byte", name, path);
    if (have < 0 || have > FILE_MAX || memchr(bytes, '\0', (size_t)have))
        return NULL;
    if (have > 0 && bytes[have - 1] == '\n')
        have--;
    if (have > 0 && bytes[have - 1] == '\r')
        have--;
    if (have == 0) {
        refuse(reterr, n, "%s_FILE: %s is empty", name, path);
        return NULL;
    }
    bytes[have] = '\0';
    return TAKE_PTR(bytes);
}

static bool load_one(const struct setting *s, struct config *ret, char *reterr, size_t n) {
    _cleanup_free_ char *file_name = xasprintf("%s_FILE", s->name), *content = NULL,
                        *given = environment(ret, s->name), *path = environment(ret, file_name);
    const char *value = given;
    SettingSource source = !value ? path ? SOURCE_FILE : SOURCE_DEFAULT
                           : getenv(s->name) && *getenv(s->name) ? SOURCE_ENVIRONMENT
                                                                 : SOURCE_ENV_FILE;

    if (value && path)
        return refuse(reterr, n, "%s and %s are both set; set one", s->name, file_name);
    if (path && !(value = content = content_of(s->name, path, reterr, n)))
        return false;
    if (s->type == SETTING_HOSTNAME && ret->source[s - settings - 1] != SOURCE_DEFAULT)
        return true; /* SLUICE_LISTEN, the row before, goes first */
    if (!value)
        value = s->otherwise;
    if (value && !setting_store(s, value, ret, reterr, n))
        return false;
    if (s->type != SETTING_HOSTNAME ||
        (value && !strcmp(ret->listen, value))) /* else it did not count */
        ret->source[s - settings] = (unsigned char)source;
    return true;
}

/* Names that Kubernetes injects for Services called sluice or sluice-…. */
static bool service_link(const char *name) {
    static const char *const patterns[] = {"*_SERVICE_HOST", "*_SERVICE_PORT*", "*_PORT",
                                           "*_PORT_*"};

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (!fnmatch(patterns[i], name, 0))
            return true;
    return false;
}

static bool setting_known(const char *name) {
    for (const struct setting *s = settings; s->name; s++) {
        size_t n = strlen(s->name);

        if (!strncmp(s->name, name, n) && (!name[n] || !strcmp(name + n, "_FILE")))
            return true;
    }
    return false;
}

static bool known(const char *name) {
    for (const char *const *foreign = foreign_names; *foreign; foreign++)
        if (!strcmp(*foreign, name))
            return true;
    return setting_known(name) || service_link(name);
}

/* The file of SLUICE_ENV_FILE is read first: the others' values may be in it. */
static bool env_file_load(struct config *ret, char *reterr, size_t n) {
    const char *path = getenv("SLUICE_ENV_FILE");

    if (!path || !*path)
        return true;
    ret->env_text = content_of("SLUICE_ENV", path, reterr, n);
    return ret->env_text && env_file_check(ret->env_text, setting_known, reterr, n);
}

static bool names_check(char *reterr, size_t n) {
    for (char **at = environ; *at; at++) {
        _cleanup_free_ char *name = xstrndup(*at, strcspn(*at, "="));
        const char *meant;

        if (strncmp(name, "SLUICE_", 7) != 0 || known(name))
            continue;
        meant = setting_meant(name);
        if (meant)
            return refuse(reterr, n, "%s is no setting of Sluice; did you mean %s?", name, meant);
        return refuse(reterr, n, "%s is no setting of Sluice (docs/settings.md lists them)", name);
    }
    return true;
}

/* The key's name where no setting gives it: the host of the public URL. */
static void checkpoint_name_default(struct config *c) {
    const char *host = c->public_url ? strstr(c->public_url, "://") + 3 : NULL, *end;

    if (c->checkpoint_name)
        return;
    if (!host) {
        c->checkpoint_name = xstrdup("sluice");
        return;
    }
    host = host[strcspn(host, "@/?#")] == '@' ? strchr(host, '@') + 1 : host;
    end = *host == '[' ? strchrnul(host, ']') : host;
    c->checkpoint_name = xstrndup(host, (size_t)(end - host) + strcspn(end, ":/?#"));
}

static bool checkpoint_check(const struct config *c, char *reterr, size_t n) {
    struct note_signer *signer;

    if (!note_name_valid(c->checkpoint_name))
        return refuse(reterr, n,
                      "SLUICE_CHECKPOINT_NAME: \"%.60s\" is no name of a key (ASCII without "
                      "spaces and +)",
                      c->checkpoint_name);
    if (!c->checkpoint_key)
        return true;
    signer = note_signer_new(c->checkpoint_key, c->checkpoint_name);
    note_signer_free(signer);
    return signer ? true
                  : refuse(reterr, n,
                           "SLUICE_CHECKPOINT_KEY: the value is no Ed25519 private key as PEM "
                           "(openssl genpkey -algorithm ed25519)");
}

static bool whole_check(const struct config *c, unsigned needs, char *reterr, size_t n) {
    if ((needs & CONFIG_NEEDS_DATABASE) && !c->database_url)
        return refuse(reterr, n, "DATABASE_URL is required: a PostgreSQL URL");
    if ((needs & CONFIG_NEEDS_JWT_SECRET) && !c->jwt_secret)
        return refuse(reterr, n, "JWT_SECRET is required: at least 32 bytes");
    if (!c->tls_cert != !c->tls_key)
        return refuse(reterr, n,
                      "SLUICE_TLS_CERT and SLUICE_TLS_KEY: one does not work without the other");
    if (c->lease_renew_ms > c->lease_ms / 2)
        return refuse(reterr, n, "SLUICE_LEASE_RENEW_MS is more than half of SLUICE_LEASE_MS");
#ifndef SLUICE_TEST_POINTS
    if (c->crash_point)
        return refuse(reterr, n, "SLUICE_CRASH_POINT is refused: this build has no crash points");
    if (c->crash_log)
        return refuse(reterr, n, "SLUICE_CRASH_LOG is refused: this build has no crash points");
#endif
    return true;
}

bool config_load_for(struct config *ret, unsigned needs, char *reterr, size_t n) {
    bool ok;

    *ret = (struct config){0};
    ok = env_file_load(ret, reterr, n);
    for (const struct setting *s = settings; s->name && ok; s++)
        ok = load_one(s, ret, reterr, n);
    if (ok)
        checkpoint_name_default(ret);
    ok = ok && names_check(reterr, n) && checkpoint_check(ret, reterr, n) &&
         whole_check(ret, needs, reterr, n);
    if (!ok)
        config_done(ret);
    return ok;
}

bool config_load(struct config *ret, char *reterr, size_t n) {
    return config_load_for(ret, CONFIG_NEEDS_DATABASE | CONFIG_NEEDS_JWT_SECRET, reterr, n);
}

/* ---- what changed ---- */

/* HOSTNAME has no field of its own, and a default may be made of another setting. */
static bool changed(const struct setting *s, const struct config *a, const struct config *b) {
    size_t i = (size_t)(s - settings);

    return s->type != SETTING_HOSTNAME &&
           (a->source[i] != SOURCE_DEFAULT || b->source[i] != SOURCE_DEFAULT) &&
           !setting_same(s, a, b);
}

bool config_reload(const struct config *now, const char *only, struct config *ret,
                   struct config_changes *changes, char *reterr, size_t n) {
    size_t changed_n = 0, waiting_n = 0;
    bool tls_begins;

    *changes = (struct config_changes){0};
    if (!config_load(ret, reterr, n))
        return false;
    tls_begins = !now->tls_cert != !ret->tls_cert; /* or ends */
    for (const struct setting *s = settings; s->name; s++) {
        bool wanted = !strncmp(s->name, only, strlen(only));
        bool may = s->reloadable && !(tls_begins && !strncmp(s->name, "SLUICE_TLS_", 11));

        if (!changed(s, now, ret)) {
            setting_keep(s, now, ret); /* a default that was made of another one */
        } else if (may && wanted) {
            changes->changed[changed_n++] = s->name;
        } else {
            setting_keep(s, now, ret);
            ret->source[s - settings] = now->source[s - settings];
            if (wanted)
                changes->waiting[waiting_n++] = s->name;
        }
    }
    return true;
}

char *config_file_of(const struct config *c, const char *name) {
    _cleanup_free_ char *file_name = xasprintf("%s_FILE", name);

    return environment(c, file_name);
}

void config_done(struct config *c) {
    if (!c)
        return;
    for (const struct setting *s = settings; s->name; s++) {
        char **text = (char **)(void *)((char *)c + s->offset);

        if (s->type == SETTING_INT || s->type == SETTING_BOOL || s->type == SETTING_RATE)
            continue;
        if (*text && s->secret)
            explicit_bzero(*text, strlen(*text));
        free(*text);
        *text = NULL; /* HOSTNAME shares the field of SLUICE_LISTEN */
    }
    if (c->env_text)
        explicit_bzero(c->env_text, strlen(c->env_text));
    free(c->env_text);
    c->env_text = NULL;
}
