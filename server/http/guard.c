/* http/guard.c: libmicrohttpd 0.9.75 accepts nine request shapes that a proxy in front of us may
 * read as two requests, at its strictest setting too, and hangs on a Transfer-Encoding that it does
 * not know (all measured).  This stops those that can still be seen when it hands the headers over.
 * Bare line feeds, folded headers and NUL bytes in values are gone by then: a normalising proxy has
 * to stop them. */
#include "http/exchange.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { HEADERS_MAX = 100, REQUEST_ID_MAX = 64 };

/* Headers that are counted: from LENGTH to before ENCODING may be there once. */
typedef enum Counted {
    HOST,
    LENGTH,
    AUTHORIZATION,
    API_KEY,
    IDEMPOTENCY_KEY,
    SIGNATURE,
    SIGNATURE_INPUT,
    DIGEST,
    ENCODING,
    REQUEST_ID,
    TRACEPARENT,
    COUNTED
} Counted;
#define NAMED(text)                                                                                \
    { text, sizeof text - 1 }
static const struct {
    const char *name;
    size_t n;
} counted[COUNTED] = {
    [HOST] = NAMED("Host"),
    [LENGTH] = NAMED("Content-Length"),
    [AUTHORIZATION] = NAMED("Authorization"),
    [API_KEY] = NAMED("X-API-Key"),
    [IDEMPOTENCY_KEY] = NAMED("Idempotency-Key"),
    [SIGNATURE] = NAMED("Signature"),
    [SIGNATURE_INPUT] = NAMED("Signature-Input"),
    [DIGEST] = NAMED("Content-Digest"),
    [ENCODING] = NAMED("Transfer-Encoding"),
    [REQUEST_ID] = NAMED("X-Request-Id"),
    [TRACEPARENT] = NAMED("traceparent"),
};

struct survey {
    size_t headers, times[COUNTED];
    const char *value[COUNTED]; /* of the last one */
    const char *fault;
};

static bool token(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !(s[i] && strchr("-!#$%&'*+.^_`|~", s[i])))
            return false;
    return n > 0;
}

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
    else if (!token(name, n))
        v->fault = "A header's name holds a character that names may not hold.";
    else if (value && !printable(value, value_n))
        v->fault = "A header's value holds a control character.";
    for (size_t i = 0; i < COUNTED && !v->fault; i++)
        if (counted[i].n == n && !strcasecmp(counted[i].name, name)) {
            v->times[i]++;
            v->value[i] = value;
        }
    return v->fault ? MHD_NO : MHD_YES;
}

static const char *survey_fault(const struct survey *v, const char *version) {
    bool http11 = !strcmp(version, "HTTP/1.1");

    if (v->fault)
        return v->fault;
    if (!http11 && strcmp(version, "HTTP/1.0") != 0)
        return "Only HTTP/1.1 and HTTP/1.0 are spoken here.";
    if (v->times[HOST] > 1 || (http11 && v->times[HOST] == 0))
        return "There must be exactly one Host header.";
    for (size_t i = LENGTH; i < ENCODING; i++)
        if (v->times[i] > 1)
            return "Content-Length, Authorization, X-API-Key, Idempotency-Key, Signature, "
                   "Signature-Input and Content-Digest may be there once.";
    if (v->times[ENCODING] && (v->times[LENGTH] || v->times[ENCODING] > 1 || !http11 ||
                               !v->value[ENCODING] || strcasecmp(v->value[ENCODING], "chunked")))
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
    if (v.times[REQUEST_ID] == 1 && request_id_valid(v.value[REQUEST_ID]))
        x->q.id = arena_strdup(&x->arena, v.value[REQUEST_ID]);
    x->traced = v.times[TRACEPARENT] == 1 && v.value[TRACEPARENT] &&
                trace_parse(v.value[TRACEPARENT], &x->q.trace);
    trace_enter(&x->q.trace);
    fault = survey_fault(&v, x->version);
    if (fault) {
        x->close = true;
        return reply_refuse(&x->r, E_INVALID_REQUEST, "%s", fault);
    }
    x->body_expected = v.times[ENCODING] > 0;
    s = uri_split(&x->arena, x->raw_uri, &x->uri, &fault);
    if (s != STATUS_OK) {
        x->close = true;
        return reply_refuse(&x->r, s, "%s", fault);
    }
    x->q.path = x->uri.path;
    x->q.query = x->uri.query;
    return STATUS_OK;
}
