/* config/print.c: settings for people: the effective ones, masked, and the reference. */
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "config/settings.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PRINTED_MAX = 1 << 20 };

/* The end of a value: of a URL's parameter, or of a keyword's, which may be quoted. */
static const char *value_end(const char *v, bool url) {
    char quote = !url && *v == '\'' ? *v++ : '\0';

    for (; *v; v++) {
        if (!url && *v == '\\' && v[1])
            v++;
        else if (quote ? *v == quote : url ? *v == '&' : isspace((unsigned char)*v))
            return quote ? v + 1 : v;
    }
    return v;
}

/* password=…, sslpassword=…, in a URL's query or among keywords. */
static char *mask_parameters(const char *url, bool is_url) {
    struct strbuf out = STRBUF(PRINTED_MAX);
    const char *rest = url, *found, *blank = is_url ? "" : " \t\n";

    while ((found = strcasestr(rest, "password"))) {
        const char *v = found + strlen("password");

        v += strspn(v, blank);
        if (*v != '=') {
            strbuf_add(&out, rest, (size_t)(v - rest));
            rest = v;
            continue;
        }
        v += 1 + strspn(v + 1, blank);
        strbuf_add(&out, rest, (size_t)(v - rest));
        strbuf_adds(&out, "***");
        rest = value_end(v, is_url);
    }
    strbuf_adds(&out, rest);
    return strbuf_take(&out);
}

/* user:PASSWORD@: up to the last @, so that a password with an unescaped / or @ in it does not show
 * either. */
static char *mask_userinfo(const char *url, const char *start) {
    const char *at = strrchr(start, '@'), *colon = strchr(start, ':');

    if (!at || !colon || colon > at)
        return xstrdup(url);
    return xasprintf("%.*s***%s", (int)(colon + 1 - url), url, at);
}

char *config_mask_database(const char *url) {
    bool is_url = strstr(url, "://") != NULL;
    _cleanup_free_ char *masked = mask_parameters(url, is_url);
    const char *start = strstr(masked, "://");

    return start ? mask_userinfo(masked, start + 3) : TAKE_PTR(masked);
}

char *config_text(const struct config *c) {
    static const char *const sources[] = {"default", "environment", "file", "SLUICE_ENV_FILE"};
    struct strbuf out = STRBUF(PRINTED_MAX);

    for (const struct setting *s = settings; s->name; s++) {
        _cleanup_free_ char *value = setting_text(s, c);
        unsigned char source = c->source[s - settings];

        if (s->type == SETTING_HOSTNAME && source == SOURCE_DEFAULT)
            continue;
        if (value)
            strbuf_addf(&out, "%s=%s  # %s\n", s->name, value, sources[source]);
        else
            strbuf_addf(&out, "%s=  # unset\n", s->name);
    }
    return strbuf_take(&out);
}

void config_print(const struct config *c) {
    _cleanup_free_ char *text = config_text(c);

    fputs(text, stdout);
}

static void add_type(struct strbuf *out, const struct setting *s) {
    switch (s->type) {
    case SETTING_INT:
        strbuf_addf(out, "integer, %lld to %lld", (long long)s->min, (long long)s->max);
        break;
    case SETTING_BOOL:
        strbuf_adds(out, "true, false, 1, 0");
        break;
    case SETTING_RATE:
        strbuf_addf(out, "`RATE,BURST`, each 1 to %lld, or `off`", (long long)s->max);
        break;
    case SETTING_WORD:
        for (const char *c = s->words; *c; c++)
            *c == '|' ? strbuf_adds(out, ", ") : strbuf_add(out, c, 1);
        break;
    case SETTING_KEYS:
        strbuf_addf(out, "1 to %lld keys of 32 bytes in base64", (long long)s->max);
        break;
    case SETTING_PEM:
        strbuf_adds(out, "PEM");
        break;
    case SETTING_URL:
        strbuf_adds(out, "http or https URL");
        break;
    case SETTING_ADDRESS:
    case SETTING_HOSTNAME:
        strbuf_adds(out, "IP address");
        break;
    case SETTING_LISTEN:
        strbuf_adds(out, "`[ADDRESS:]PORT`");
        break;
    case SETTING_CIDRS:
        strbuf_adds(out, "CIDRs");
        break;
    case SETTING_ORIGINS:
        strbuf_adds(out, "origins, or `*`");
        break;
    case SETTING_TEXT:
    case SETTING_DATABASE:
        strbuf_adds(out, "text");
        if (s->min)
            strbuf_addf(out, ", at least %lld bytes", (long long)s->min);
        break;
    }
    if (s->secret)
        strbuf_adds(out, "; secret");
}

char *config_reference(void) {
    struct strbuf out = STRBUF(PRINTED_MAX);

    strbuf_adds(&out, "# Settings\n\n"
                      "<!-- Made by `sluiced dump-settings` from server/config/settings.c; a test "
                      "compares. -->\n\n"
                      "`sluiced` reads its settings from the environment at its start; an "
                      "empty value counts as unset. Each may\n"
                      "also be given as `NAME_FILE`: the value is then that file's content without "
                      "its trailing newline (at most 64 KiB);\n"
                      "giving both is refused. An unknown name that begins with `SLUICE_`, or a "
                      "value that does not fit, stops the start\n"
                      "with one line. The command line's own names (`SLUICE_URL`, `SLUICE_TOKEN` "
                      "…) and the names that Kubernetes injects\n"
                      "for a Service called sluice (`*_SERVICE_HOST`, `*_SERVICE_PORT*`, "
                      "`*_PORT*`) are left alone. `sluiced check` prints\n"
                      "what is in effect, with secrets as `***`.\n\n"
                      "`SLUICE_ENV_FILE` names a file of lines `NAME=value` (empty lines and `#` "
                      "lines do not count) that gives settings as the\n"
                      "environment does; a name that is in both is refused, and so is one that is "
                      "no setting. At SIGHUP the server reads\n"
                      "that file and every `NAME_FILE` again, and takes over what has a yes in the "
                      "column *reload*. When anything is not right,\n"
                      "nothing changes. [operating.md](operating.md#reload) has more.\n\n"
                      "| name | value | default | reload | meaning |\n"
                      "|---|---|---|---|---|\n");
    for (const struct setting *s = settings; s->name; s++) {
        strbuf_addf(&out, "| `%s` | ", s->name);
        add_type(&out, s);
        if (s->otherwise)
            strbuf_addf(&out, " | `%s`", s->otherwise);
        else
            strbuf_adds(&out, " |");
        strbuf_addf(&out, " | %s%s |\n", s->reloadable ? "yes | " : "| ", s->about);
    }
    return strbuf_take(&out);
}
