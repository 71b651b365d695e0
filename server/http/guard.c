/* http/guard.c: libmicrohttpd 0.9.75 accepts nine request shapes that a proxy in front of us may
 * read as two requests, at its strictest setting too, and hangs on a Transfer-Encoding that it does
 * not know (all measured).  This stops those that can still be seen when it hands the headers over.
 * Bare line feeds, folded headers and NUL bytes in values are gone by then: a normalising proxy has
 * to stop them. */
#include "http/exchange.h"
#include <string.h>
#include <strings.h>

enum { HEADERS_MAX = 100, REQUEST_ID_MAX = 64 };

static const char token_chars[] =
    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

struct survey {
    size_t headers, hosts, lengths, encodings, authorizations, api_keys, keys, signatures[3], ids;
    const char *encoding, *id;
    const char *fault;
};

static bool printable(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static enum MHD_Result survey_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t n,
                                     const char *value, size_t value_n) {
    struct survey *v = cls;

    (void)kind;
    if (++v->headers > HEADERS_MAX)
        v->fault = "Too many headers.";
    else if (n == 0 || strspn(name, token_chars) != n)
        v->fault = "A header's name holds a character that names may not hold.";
    else if (value && !printable(value, value_n))
        v->fault = "A header's value holds a control character.";
    else if (!strcasecmp(name, "Host"))
        v->hosts++;
    else if (!strcasecmp(name, "Content-Length"))
        v->lengths++;
    else if (!strcasecmp(name, "Authorization"))
        v->authorizations++;
    else if (!strcasecmp(name, "X-API-Key"))
        v->api_keys++;
    else if (!strcasecmp(name, "Idempotency-Key"))
        v->keys++;
    else if (!strcasecmp(name, "Signature"))
        v->signatures[0]++;
    else if (!strcasecmp(name, "Signature-Input"))
        v->signatures[1]++;
    else if (!strcasecmp(name, "Content-Digest"))
        v->signatures[2]++;
    else if (!strcasecmp(name, "Transfer-Encoding")) {
        v->encodings++;
        v->encoding = value ? value : "";
    } else if (!strcasecmp(name, "X-Request-Id")) {
        v->ids++;
        v->id = value;
    }
    return v->fault ? MHD_NO : MHD_YES;
}

static const char *survey_fault(const struct survey *v, const char *version) {
    bool http11 = !strcmp(version, "HTTP/1.1");

    if (v->fault)
        return v->fault;
    if (!http11 && strcmp(version, "HTTP/1.0") != 0)
        return "Only HTTP/1.1 and HTTP/1.0 are spoken here.";
    if (v->hosts > 1 || (http11 && v->hosts == 0))
        return "There must be exactly one Host header.";
    if (v->lengths > 1 || v->authorizations > 1 || v->api_keys > 1 || v->keys > 1)
        return "Content-Length, Authorization, X-API-Key and Idempotency-Key may be there once.";
    for (int i = 0; i < 3; i++)
        if (v->signatures[i] > 1)
            return "Signature, Signature-Input and Content-Digest may be there once.";
    if (v->encodings &&
        (v->lengths || v->encodings > 1 || !http11 || strcasecmp(v->encoding, "chunked") != 0))
        return "Transfer-Encoding may only be 'chunked', once, in HTTP/1.1 and without "
               "Content-Length.";
    return NULL;
}

static bool request_id_valid(const char *id) {
    size_t n = id ? strlen(id) : 0;

    return n >= 1 && n <= REQUEST_ID_MAX &&
           strspn(id, "._-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == n;
}

Status guard_request(struct exchange *x) {
    struct survey v = {0};
    const char *fault;
    Status s;

    MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, survey_header, &v);
    if (v.ids == 1 && request_id_valid(v.id))
        x->q.id = arena_strdup(&x->arena, v.id);
    fault = survey_fault(&v, x->version);
    if (fault) {
        x->close = true;
        return reply_refuse(&x->r, E_INVALID_REQUEST, "%s", fault);
    }
    x->body_expected = v.encodings > 0;
    s = uri_split(&x->arena, x->raw_uri, &x->uri, &fault);
    if (s != STATUS_OK) {
        x->close = true;
        return reply_refuse(&x->r, s, "%s", fault);
    }
    x->q.path = x->uri.path;
    x->q.query = x->uri.query;
    return STATUS_OK;
}
