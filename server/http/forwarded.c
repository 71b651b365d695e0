/* http/forwarded.c: who called where a proxy of SLUICE_TRUSTED_PROXIES brings the request, and
 * under which name it was reached.  In anybody else's request these headers are just text.
 *
 * Each proxy appends whom it saw.  Read from the right, the first that is no trusted proxy is the
 * caller, and what stands left of it is only the caller's word.  A value that is no address ends
 * the reading: whoever is known by then counts. */
#include "http/server.h"
#include <string.h>
#include <strings.h>

enum { HOPS_MAX = 32, HOST_MAX = 255 };

struct text {
    const char *at;
    size_t n;
};

struct hops {
    struct text hop[HOPS_MAX];
    size_t n;
    bool bad; /* too many, or an open quote */
};

static struct text trimmed(struct text t) {
    while (t.n && (*t.at == ' ' || *t.at == '\t'))
        t.at++, t.n--;
    while (t.n && (t.at[t.n - 1] == ' ' || t.at[t.n - 1] == '\t'))
        t.n--;
    return t;
}

/* How far the separator is; what stands in quotes does not separate. */
static size_t until(const char *s, size_t n, char separator, bool *ret_open) {
    bool quoted = false;
    size_t i = 0;

    for (; i < n && (quoted || s[i] != separator); i++)
        if (s[i] == '"')
            quoted = !quoted;
    *ret_open = quoted;
    return i;
}

/* ---- headers, which may come in several lines ---- */

struct gather {
    const char *name;
    struct hops *ret;
};

static enum MHD_Result gather_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value) {
    struct gather *g = cls;
    struct hops *h = g->ret;

    (void)kind;
    if (strcasecmp(name, g->name) != 0 || !value)
        return MHD_YES;
    for (const char *at = value;; at++) {
        bool open;
        size_t n = until(at, strlen(at), ',', &open);

        h->bad = h->bad || open || h->n == HOPS_MAX;
        if (h->bad)
            return MHD_NO;
        h->hop[h->n++] = trimmed((struct text){at, n});
        at += n;
        if (!*at)
            return MHD_YES;
    }
}

static struct hops hops_of(const struct exchange *x, const char *name) {
    struct hops h = {0};
    struct gather g = {name, &h};

    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, gather_header, &g);
    return h;
}

/* ---- one hop ---- */

/* An address, bare or with a port, that of IPv6 in brackets where it has one (RFC 7239 §6). */
static bool node_parse(struct text t, struct address *ret) {
    const char *end = t.n ? memchr(t.at, *t.at == '[' ? ']' : ':', t.n) : NULL;
    struct text port = {0}, address = t;
    struct address a;

    if (t.n && *t.at == '[') {
        if (!end)
            return false;
        address = (struct text){t.at + 1, (size_t)(end - t.at) - 1};
        port = (struct text){end + 1, (size_t)(t.at + t.n - end) - 1};
    } else if (end && !memchr(end + 1, ':', (size_t)(t.at + t.n - end) - 1)) {
        address.n = (size_t)(end - t.at);
        port = (struct text){end, t.n - address.n};
    }
    for (size_t i = 0; i < port.n; i++)
        if (i == 0 ? port.at[i] != ':' : port.at[i] < '0' || port.at[i] > '9')
            return false;
    if (port.n == 1 || port.n > 6 || !address_parse(address.at, address.n, &a) ||
        (*t.at == '[' && a.family != AF_INET6))
        return false;
    *ret = address_unmapped(&a);
    return true;
}

static bool for_plain(struct text hop, struct text *ret) {
    *ret = hop;
    return true;
}

/* A parameter's value in an element of Forwarded; false: it is not there, or not once, or the
 * element is no such thing. */
static bool parameter(struct text hop, const char *name, struct text *ret) {
    bool found = false, open;

    for (size_t at = 0; at <= hop.n;) {
        size_t n = until(hop.at + at, hop.n - at, ';', &open);
        struct text pair = trimmed((struct text){hop.at + at, n});
        const char *equals = pair.n ? memchr(pair.at, '=', pair.n) : NULL;
        size_t name_n = equals ? (size_t)(equals - pair.at) : 0;

        at += n + 1;
        if (!name_n)
            return false;
        if (name_n != strlen(name) || strncasecmp(pair.at, name, name_n) != 0)
            continue;
        if (found)
            return false;
        found = true;
        *ret = (struct text){equals + 1, pair.n - name_n - 1};
    }
    if (found && ret->n >= 2 && *ret->at == '"' && ret->at[ret->n - 1] == '"')
        *ret = (struct text){ret->at + 1, ret->n - 2};
    return found && ret->n && !memchr(ret->at, '"', ret->n) && !memchr(ret->at, '\\', ret->n);
}

static bool for_parameter(struct text hop, struct text *ret) {
    return parameter(hop, "for", ret);
}

/* The caller by these hops, *ret being the peer; *ret_hop: which of them it was, if any. */
static void caller_of(const struct hops *h, bool (*node)(struct text, struct text *),
                      const char *trusted, struct address *ret, size_t *ret_hop) {
    size_t i = h->bad ? 0 : h->n;
    struct text t;

    while (i > 0 && cidrs_hold(trusted, ret) && node(h->hop[i - 1], &t) && node_parse(t, ret))
        *ret_hop = --i;
}

/* ---- the name that it was reached under ---- */

static bool host_valid(struct text t) {
    for (size_t i = 0; i < t.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]",
                    t.at[i]))
            return false;
    return t.n > 0 && t.n <= HOST_MAX;
}

static void reached_as(struct exchange *x, struct text proto, struct text host) {
    if (proto.n == 5 && !strncasecmp(proto.at, "https", 5))
        x->secure = true;
    else if (proto.n == 4 && !strncasecmp(proto.at, "http", 4))
        x->secure = false;
    if (host_valid(host))
        x->host = arena_strndup(&x->arena, host.at, host.n);
}

/* Of headers that say one thing; nothing where they say more. */
static struct text only(const struct exchange *x, const char *name) {
    struct hops h = hops_of(x, name);

    return h.n == 1 && !h.bad ? h.hop[0] : (struct text){0};
}

static void reached_as_standard(struct exchange *x, struct text hop) {
    struct text proto, host;

    reached_as(x, parameter(hop, "proto", &proto) ? proto : (struct text){0},
               parameter(hop, "host", &host) ? host : (struct text){0});
}

void forwarded_read(struct exchange *x, const char *trusted) {
    struct address plain = x->conn->peer, standard = plain;
    struct hops of_plain, of_standard;
    char text[ADDRESS_TEXT];
    size_t hop = HOPS_MAX; /* none */

    if (!trusted || !cidrs_hold(trusted, &plain))
        return;
    of_plain = hops_of(x, "X-Forwarded-For");
    of_standard = hops_of(x, "Forwarded");
    caller_of(&of_plain, for_plain, trusted, &plain, &hop);
    caller_of(&of_standard, for_parameter, trusted, &standard, &hop);
    if (of_plain.n && of_standard.n && memcmp(&plain, &standard, sizeof plain) != 0)
        return; /* one of the two is not the proxy's, and nobody can tell which */
    if (of_standard.n && !of_plain.n)
        reached_as_standard(x, hop < HOPS_MAX ? of_standard.hop[hop] : (struct text){0});
    else
        reached_as(x, only(x, "X-Forwarded-Proto"), only(x, "X-Forwarded-Host"));
    if (of_standard.n)
        plain = standard;
    if (memcmp(&plain, &x->conn->peer, sizeof plain) != 0) {
        x->q.remote = arena_strdup(&x->arena, address_text(&plain, text));
        x->network = rates_of_network(x->server->rates, &plain);
    }
}
