/* http/accept.c: content negotiation, as little of it as an API needs: may this type be answered,
 * was that one asked for. */
#include "http/exchange.h"
#include <string.h>
#include <strings.h>

/* One element of Accept: its media range and whether its quality is zero. */
struct range {
    const char *text;
    size_t n;
    bool never;
};

static bool next_range(const char **at, struct range *ret) {
    const char *s = *at + strspn(*at, " \t,");
    size_t all = strcspn(s, ","), n = strcspn(s, ",;");
    const char *q;

    if (!*s)
        return false;
    *at = s + all;
    *ret = (struct range){.text = s, .n = n};
    while (ret->n > 0 && (s[ret->n - 1] == ' ' || s[ret->n - 1] == '\t'))
        ret->n--;
    for (q = s + n; q < s + all; q += 1 + strcspn(q + 1, ",;")) {
        const char *p = q + 1 + strspn(q + 1, " \t");

        if ((p[0] == 'q' || p[0] == 'Q') && p[1] == '=')
            ret->never = p[2] == '0' && strspn(p + 2, "0.") == strcspn(p + 2, ",; \t");
    }
    return true;
}

static bool range_is(const struct range *r, const char *text, size_t n) {
    return r->n == n && !strncasecmp(r->text, text, n);
}

bool accepts_type(const char *accept, const char *media_type) {
    size_t n = strcspn(media_type, "; "), major = strcspn(media_type, "/") + 1;
    struct range r;
    int best = 0; /* how precisely the type was named: the most precise range decides */
    bool yes = false;

    if (!accept || !*accept)
        return true;
    while (next_range(&accept, &r)) {
        int precision =
            range_is(&r, media_type, n) ? 3
            : r.n == major + 1 && r.text[major] == '*' && !strncasecmp(r.text, media_type, major)
                ? 2
            : range_is(&r, "*/*", 3) ? 1
                                     : 0;

        if (precision > best) {
            best = precision;
            yes = !r.never;
        }
    }
    return yes;
}

bool request_accepts(const struct request *q, const char *media_type) {
    const char *accept = request_header(q, "Accept");
    struct range r;

    while (accept && next_range(&accept, &r))
        if (range_is(&r, media_type, strlen(media_type)))
            return !r.never;
    return false;
}
