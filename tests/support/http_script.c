#include "tests/support/http_script.h"
#include "base/strbuf.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_BYTES = 64 << 10 };

struct rule {
    struct rule *next;
    char *match, *reply;
    ScriptThen then;
    int times;
};

struct heard {
    struct heard *next;
    char *text;
};

struct visit {
    struct visit *next;
    struct script *script;
    pthread_t thread;
    int fd; /* closed by script_free only, so that its number is not another's meanwhile */
};

struct script {
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct rule *rules, **rules_end;
    struct heard *heard; /* newest first */
    struct visit *visits;
    bool ending;
};

static void say(int fd, const char *text) {
    size_t n = strlen(text);

    while (n) {
        ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        text += sent;
        n -= (size_t)sent;
    }
}

/* Reads one request whole; false at the end of the connection. */
static bool hear(int fd, char *text, size_t size) {
    size_t n = 0, body = 0;
    char *end, *length;

    for (;;) {
        ssize_t got = recv(fd, text + n, size - 1 - n, 0);

        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
        end = strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        length = strcasestr(text, "content-length:");
        body = length ? strtoul(length + 15, NULL, 10) : 0;
        if (n >= (size_t)(end + 4 - text) + body)
            return true;
    }
}

static void remember(struct script *s, const char *text) {
    struct heard *h = xcalloc(1, sizeof(*h));

    h->text = xstrdup(text);
    h->next = s->heard;
    s->heard = h;
    pthread_cond_broadcast(&s->changed);
}

/* The reply, yours, and what comes then. */
static char *reply_to(struct script *s, const char *text, ScriptThen *then) {
    char *reply = NULL;

    pthread_mutex_lock(&s->lock);
    remember(s, text);
    for (struct rule *r = s->rules; r && !reply; r = r->next) {
        if (r->times != 0 && strstr(text, r->match)) {
            r->times -= r->times > 0;
            reply = xstrdup(r->reply);
            *then = r->then;
        }
    }
    pthread_mutex_unlock(&s->lock);
    if (reply)
        return reply;
    *then = SCRIPT_CLOSE;
    return xstrdup("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

static void *visit_thread(void *ctx) {
    struct visit *v = ctx;
    char *text = xmalloc(REQUEST_BYTES), *reply, byte;
    ScriptThen then = SCRIPT_KEEP;

    while (then == SCRIPT_KEEP && hear(v->fd, text, REQUEST_BYTES)) {
        reply = reply_to(v->script, text, &then);
        say(v->fd, reply);
        free(reply);
    }
    while (then == SCRIPT_HOLD && recv(v->fd, &byte, 1, 0) > 0)
        ;
    shutdown(v->fd, SHUT_RDWR);
    free(text);
    return NULL;
}

static void *script_thread(void *ctx) {
    struct script *s = ctx;
    int fd;

    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        struct visit *v = xcalloc(1, sizeof(*v));

        v->script = s;
        v->fd = fd;
        pthread_mutex_lock(&s->lock);
        v->next = s->visits;
        s->visits = v;
        pthread_mutex_unlock(&s->lock);
        if (pthread_create(&v->thread, NULL, visit_thread, v) != 0)
            die("no thread");
    }
    return NULL;
}

struct script *script_new(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct script *s = xcalloc(1, sizeof(*s));
    socklen_t n = sizeof(address);

    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->rules_end = &s->rules;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->listener, (struct sockaddr *)&address, n) != 0 || listen(s->listener, 64) != 0)
        die("no listener on loopback");
    getsockname(s->listener, (struct sockaddr *)&address, &n);
    s->port = ntohs(address.sin_port);
    if (pthread_create(&s->thread, NULL, script_thread, s) != 0)
        die("no thread");
    return s;
}

static void script_release(struct script *s) {
    for (struct rule *r = s->rules, *next; r; r = next) {
        next = r->next;
        free(r->match);
        free(r->reply);
        free(r);
    }
    for (struct heard *h = s->heard, *next; h; h = next) {
        next = h->next;
        free(h->text);
        free(h);
    }
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void script_free(struct script *s) {
    struct visit *next;

    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    for (struct visit *v = s->visits; v; v = next) {
        next = v->next;
        shutdown(v->fd, SHUT_RDWR);
        pthread_join(v->thread, NULL);
        close(v->fd);
        free(v);
    }
    script_release(s);
}

unsigned script_port(const struct script *s) {
    return s->port;
}

void script_rule(struct script *s, const char *match, const char *reply, ScriptThen then,
                 int times) {
    struct rule *r = xcalloc(1, sizeof(*r));

    *r = (struct rule){
        .match = xstrdup(match), .reply = xstrdup(reply), .then = then, .times = times};
    pthread_mutex_lock(&s->lock);
    *s->rules_end = r;
    s->rules_end = &r->next;
    pthread_mutex_unlock(&s->lock);
}

/* Under the lock. */
static int count(const struct script *s, const char *match) {
    int n = 0;

    for (const struct heard *h = s->heard; h; h = h->next)
        n += strstr(h->text, match) != NULL;
    return n;
}

int script_count(struct script *s, const char *match) {
    int n;

    pthread_mutex_lock(&s->lock);
    n = count(s, match);
    pthread_mutex_unlock(&s->lock);
    return n;
}

char *script_last(struct script *s, const char *match) {
    const struct heard *h;
    char *text;

    pthread_mutex_lock(&s->lock);
    for (h = s->heard; h && !strstr(h->text, match); h = h->next)
        ;
    text = h ? xstrdup(h->text) : NULL;
    pthread_mutex_unlock(&s->lock);
    return text;
}

bool script_wait(struct script *s, const char *match, int n) {
    struct timespec until;
    bool late = false;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    pthread_mutex_lock(&s->lock);
    while (count(s, match) < n && !late)
        late = pthread_cond_timedwait(&s->changed, &s->lock, &until) != 0;
    late = count(s, match) < n;
    pthread_mutex_unlock(&s->lock);
    return !late;
}

char *script_json(unsigned status, const char *headers, const char *body) {
    return xasprintf("HTTP/1.1 %u X\r\nContent-Type: application/json\r\n%sContent-Length: "
                     "%zu\r\n\r\n%s",
                     status, headers, strlen(body), body);
}

char *script_chunk(const char *text, bool ended) {
    struct strbuf b = STRBUF(16 << 20);

    strbuf_adds(&b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (text)
        strbuf_addf(&b, "%zx\r\n%s\r\n", strlen(text), text);
    if (ended)
        strbuf_adds(&b, "0\r\n\r\n");
    return strbuf_take(&b);
}
