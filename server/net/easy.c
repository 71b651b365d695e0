#include "net/easy.h"
#include "base/clock.h"
#include "base/crash.h"
#include "net/policy.h"
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { IDLE_CONNECTION_S = 45, RETRY_AFTER_MOST_S = 86400 };

/* Options are constants of ours: that one is refused means another libcurl than the one built for.
 */
#define SET(easy, option, value)                                                                   \
    do {                                                                                           \
        CURLcode set_code = curl_easy_setopt(easy, option, value);                                 \
        if (set_code != CURLE_OK)                                                                  \
            die("libcurl refused " #option ": %s", curl_easy_strerror(set_code));                  \
    } while (0)

void net_setup(void) {
    /* With NOSIGNAL curl leaves SIGPIPE to us, and OpenSSL writes without MSG_NOSIGNAL. */
    signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        die("libcurl could not be set up");
}

void net_response_done(struct net_response *r) {
    if (!r)
        return;
    free(r->body);
    free(r->content_type);
    free(r->location);
    free(r->etag);
    *r = (struct net_response){0};
}

static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to) {
    const struct address address = address_of(&to->addr);
    struct easy_call *c = ctx;

    (void)purpose;
    if (c->policy && (!policy_allows(c->policy->allow, &to->addr) ||
                      (c->policy->listed_only && !policy_lists(c->policy->allow, &to->addr)))) {
        address_text(&address, c->refused);
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* Comes before each request is sent.  curl sends a request once more when a reused connection turns
 * out to be closed, whatever the method, and also when the server acted before it closed. */
static int on_before_request(void *ctx, char *peer, char *local, int peer_port, int local_port) {
    struct easy_call *c = ctx;

    (void)peer, (void)local, (void)peer_port, (void)local_port;
    if (++c->attempts > 1 && !c->repeatable) {
        c->repeat_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx) {
    struct easy_call *c = ctx;
    long status = 0;

    n *= size;
    c->last_byte_us = clock_monotonic_us();
    if (c->sink.fn) {
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
        c->stopped = !c->sink.fn(c->sink.ctx, (unsigned)status, bytes, n);
        return c->stopped ? CURL_WRITEFUNC_ERROR : n;
    }
    strbuf_add(&c->body, bytes, n);
    c->too_large = c->body.overflowed;
    return c->too_large ? CURL_WRITEFUNC_ERROR : n;
}

static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up) {
    struct easy_call *c = ctx;

    (void)down_total, (void)down, (void)up_total, (void)up;
    c->idled = c->idle_us > 0 && clock_monotonic_us() - c->last_byte_us >= c->idle_us;
    return c->idled || atomic_load(c->canceled) ? 1 : 0;
}

void easy_watch(struct easy_call *c, const atomic_bool *canceled) {
    c->canceled = canceled;
    SET(c->easy, CURLOPT_NOPROGRESS, 0L);
    SET(c->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(c->easy, CURLOPT_XFERINFODATA, c);
}

static bool easy_refuse(struct easy_call *c, const char *why) {
    snprintf(c->text, sizeof(c->text), "%s", why);
    return false;
}

static void add_line(struct curl_slist **list, const char *line) {
    struct curl_slist *grown = curl_slist_append(*list, line);

    if (!grown)
        die("out of memory");
    *list = grown;
}

static bool set_headers(struct easy_call *c, const struct net_request *in) {
    bool typed = false;

    for (const char *const *h = in->headers; h && *h; h++) {
        if (strpbrk(*h, "\r\n"))
            return easy_refuse(c, "a header holds a line break");
        typed = typed || strncasecmp(*h, "content-type:", 13) == 0;
        add_line(&c->headers, *h);
    }
    if (!typed)
        add_line(&c->headers, "Content-Type:"); /* curl would claim that it is a form */
    add_line(&c->headers, "Expect:");           /* no round trip before a large body */
    SET(c->easy, CURLOPT_HTTPHEADER, c->headers);
    return true;
}

static void set_method(CURL *easy, const struct net_request *in) {
    bool writes = in->body || strcmp(in->method, "POST") == 0 || strcmp(in->method, "PUT") == 0 ||
                  strcmp(in->method, "PATCH") == 0;

    if (strcmp(in->method, "HEAD") == 0)
        SET(easy, CURLOPT_NOBODY, 1L);
    if (writes) {
        SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)in->body_len);
        SET(easy, CURLOPT_POSTFIELDS, in->body ? in->body : "");
    }
    SET(easy, CURLOPT_CUSTOMREQUEST, in->method);
}

static struct curl_blob borrowed_blob(const char *text) {
    union {
        const char *in;
        void *out;
    } bytes = {.in = text}; /* curl only reads it */

    return (struct curl_blob){.data = bytes.out, .len = strlen(text), .flags = CURL_BLOB_NOCOPY};
}

static void set_tls(CURL *easy, const struct net_tls *tls) {
    struct curl_blob blob;

    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!tls)
        return;
    if (tls->ca_pem) {
        blob = borrowed_blob(tls->ca_pem);
        SET(easy, CURLOPT_CAINFO, NULL);
        SET(easy, CURLOPT_CAPATH, NULL); /* else the system's authorities would count as well */
        SET(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (tls->cert_pem && tls->key_pem) {
        blob = borrowed_blob(tls->cert_pem);
        SET(easy, CURLOPT_SSLCERT_BLOB, &blob);
        blob = borrowed_blob(tls->key_pem);
        SET(easy, CURLOPT_SSLKEY_BLOB, &blob);
    }
    if (tls->insecure) {
        SET(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        SET(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

/* curl takes the name to verify from the URL: so the URL gets the server name, and the connection
 * and the Host header go where the caller's URL says. */
static bool rewrite_for_server_name(struct easy_call *c, const struct net_request *in) {
    char *host = NULL, *port = NULL, *url = NULL, *line;
    CURLU *parts = curl_url();
    bool ok;

    ok = parts && !curl_url_set(parts, CURLUPART_URL, in->url, CURLU_PATH_AS_IS) &&
         !curl_url_get(parts, CURLUPART_HOST, &host, 0) &&
         !curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
         !curl_url_set(parts, CURLUPART_HOST, in->tls->server_name, 0) &&
         !curl_url_get(parts, CURLUPART_URL, &url, 0);
    if (ok) {
        line = xasprintf("%s:%s:%s:%s", in->tls->server_name, port, host, port);
        add_line(&c->connect_to, line);
        free(line);
        line = xasprintf("Host: %s:%s", host, port);
        add_line(&c->headers, line);
        free(line);
        c->url = xstrdup(url);
        SET(c->easy, CURLOPT_CONNECT_TO, c->connect_to);
    }
    curl_free(host);
    curl_free(port);
    curl_free(url);
    curl_url_cleanup(parts);
    return ok;
}

#ifdef SLUICE_TEST_POINTS
/* Of a write that the runner sends: all of it is out; its answer begins. */
static int on_debug(CURL *easy, curl_infotype type, char *bytes, size_t n, void *ctx) {
    struct easy_call *c = ctx;

    (void)easy;
    if (c->repeatable || !crash_placed())
        return 0;
    if (type == CURLINFO_DATA_OUT)
        crash_point(CRASH_AFTER_SEND);
    else if (type == CURLINFO_HEADER_IN && n > 5 && strncmp(bytes, "HTTP/", 5) == 0)
        crash_point(CRASH_AFTER_EFFECT);
    return 0;
}

static void set_crash_points(CURL *easy, struct easy_call *c) {
    SET(easy, CURLOPT_VERBOSE, 1L);
    SET(easy, CURLOPT_DEBUGFUNCTION, on_debug);
    SET(easy, CURLOPT_DEBUGDATA, c);
}
#else
static void set_crash_points(CURL *easy, struct easy_call *c) {
    (void)easy, (void)c;
}
#endif

static void set_fixed(CURL *easy, struct easy_call *c, const char *user_agent) {
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_PROXY, ""); /* else http_proxy would choose, and the policy judge the proxy */
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_PATH_AS_IS, 1L); /* what was checked is what is sent */
    SET(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(easy, CURLOPT_TCP_NODELAY, 1L);
    SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(easy, CURLOPT_TCP_KEEPIDLE, 15L);
    SET(easy, CURLOPT_TCP_KEEPINTVL, 5L);
    SET(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_S);
    SET(easy, CURLOPT_USERAGENT, user_agent);
    SET(easy, CURLOPT_ERRORBUFFER, c->text);
    SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(easy, CURLOPT_OPENSOCKETDATA, c);
    SET(easy, CURLOPT_PREREQFUNCTION, on_before_request);
    SET(easy, CURLOPT_PREREQDATA, c);
    SET(easy, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy, CURLOPT_WRITEDATA, c);
    set_crash_points(easy, c);
}

bool easy_begin(struct easy_call *c, CURL *easy, const struct net_request *in,
                const char *user_agent, struct net_data_sink sink) {
    int64_t now = clock_monotonic_us();

    *c = (struct easy_call){
        .easy = easy,
        .sink = sink,
        .policy = in->policy,
        .body = STRBUF(in->max_bytes),
        .started_us = now,
        .last_byte_us = now,
        .idle_us = in->idle_ms * US_PER_MS,
        .repeatable = strcmp(in->method, "GET") == 0 || strcmp(in->method, "HEAD") == 0,
    };
    set_fixed(easy, c, user_agent);
    if (strpbrk(in->method, " \t\r\n"))
        return easy_refuse(c, "the method is not a word");
    if (!set_headers(c, in))
        return false;
    if (in->tls && in->tls->server_name && !rewrite_for_server_name(c, in))
        return easy_refuse(c, "the URL or the server name is not valid");
    SET(easy, CURLOPT_HTTPHEADER, c->headers);
    set_method(easy, in);
    set_tls(easy, in->tls);
    SET(easy, CURLOPT_TIMEOUT_MS, (long)in->timeout_ms);
    SET(easy, CURLOPT_CONNECTTIMEOUT_MS, in->connect_ms > 0 ? (long)in->connect_ms : 2000L);
    if (in->policy) { /* a connection that is already open was not judged */
        SET(easy, CURLOPT_FRESH_CONNECT, 1L);
        SET(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    SET(easy, CURLOPT_URL, c->url ? c->url : in->url);
    return true;
}

static char *header_value(CURL *easy, const char *name) {
    struct curl_header *header;

    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return xstrdup(header->value);
}

static int retry_after(CURL *easy) {
    char *text = header_value(easy, "Retry-After");
    curl_off_t seconds = 0;

    if (!text)
        return -1;
    free(text);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds); /* reads dates as well */
    return (int)(seconds < RETRY_AFTER_MOST_S ? seconds : RETRY_AFTER_MOST_S);
}

static void describe(const struct easy_call *c, CURLcode code, struct net_response *ret) {
    const char *text = c->text[0] ? c->text : curl_easy_strerror(code);

    if (c->too_large)
        snprintf(ret->error, sizeof(ret->error), "the answer is larger than %zu bytes",
                 c->body.max);
    else if (c->idled)
        snprintf(ret->error, sizeof(ret->error), "nothing arrived for %lld ms",
                 (long long)(c->idle_us / US_PER_MS));
    else if (c->canceled && atomic_load(c->canceled))
        snprintf(ret->error, sizeof(ret->error), "canceled");
    else if (c->repeat_refused)
        snprintf(ret->error, sizeof(ret->error), "the connection was closed before an answer came");
    else if (c->refused[0])
        snprintf(ret->error, sizeof(ret->error), "the address %s is not allowed", c->refused);
    else
        snprintf(ret->error, sizeof(ret->error), "%.*s", (int)strcspn(text, "\r\n"), text);
}

void easy_end(struct easy_call *c, CURLcode code, struct net_response *ret) {
    long status = 0, sent = 0;

    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &sent);
    *ret =
        (struct net_response){.retry_after_s = -1, .took_us = clock_monotonic_us() - c->started_us};
    if (code == CURLE_OK || c->stopped) {
        ret->outcome = NET_ANSWERED;
        ret->status = (unsigned)status;
        ret->content_type = header_value(c->easy, "Content-Type");
        ret->location = header_value(c->easy, "Location");
        ret->etag = header_value(c->easy, "ETag");
        ret->retry_after_s = retry_after(c->easy);
        if (!c->sink.fn) {
            ret->body_len = c->body.len;
            ret->body = strbuf_take(&c->body);
        }
    } else {
        ret->outcome = sent > 0 || c->repeat_refused ? NET_UNKNOWN : NET_NOT_SENT;
        describe(c, code, ret);
    }
    strbuf_done(&c->body);
    curl_slist_free_all(c->headers);
    curl_slist_free_all(c->connect_to);
    free(c->url);
    c->headers = c->connect_to = NULL;
    c->url = NULL;
}
