/* db/connect.c: how a connection is made: options, host order, deadline.
 *
 * libpq's asynchronous connect tries the hosts of a URL in order but knows no time-out of its own:
 * a machine that is gone without a word would be waited for forever.  Hence our deadline, and the
 * rotation of the host list after it. Names are resolved by getaddrinfo inside
 * PQconnectStartParams, which blocks: put addresses, or a local resolver, into URLs where that
 * matters. */
#include "base/clock.h"
#include "base/strbuf.h"
#include "db/conn.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { OPTIONS_MAX = 4096, HOST_MS = 1500, SERVER_SLACK_MS = 500 };

void conn_target_init(struct conn_target *t, const char *url, const char *app_name,
                      int statement_ms, int idle_in_tx_ms) {
    *t = (struct conn_target){
        .url = xstrdup(url),
        .app_name = xstrdup(app_name ? app_name : "sluiced"),
        .statement_ms = statement_ms > 0 ? statement_ms : 5000,
        .idle_in_tx_ms = idle_in_tx_ms,
    };
}

void conn_target_done(struct conn_target *t) {
    free(t->url);
    free(t->app_name);
    *t = (struct conn_target){0};
}

static PQconninfoOption *option(PQconninfoOption *all, const char *keyword) {
    for (PQconninfoOption *o = all; o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return o;
    return NULL;
}

/* Values are freed by PQconninfoFree, with free(): malloc'ed here too. */
static void option_set(PQconninfoOption *all, const char *keyword, const char *value,
                       bool replace) {
    PQconninfoOption *o = option(all, keyword);

    if (!o || (o->val && *o->val && !replace))
        return;
    free(o->val);
    o->val = xstrdup(value);
}

static size_t list_length(const char *list) {
    size_t n = 1;

    for (const char *c = list; *c; c++)
        n += *c == ',';
    return n;
}

/* "a,b,c" turned by 1 is "b,c,a". */
static char *list_turned(const char *list, size_t by) {
    const char *cut = list;

    for (size_t i = 0; i < by % list_length(list); i++)
        cut = strchr(cut, ',') + 1;
    if (cut == list)
        return xstrdup(list);
    return xasprintf("%s,%.*s", cut, (int)(cut - list - 1), list);
}

static size_t turn_hosts(PQconninfoOption *all, unsigned rotation) {
    static const char *const lists[] = {"host", "hostaddr", "port"};
    size_t hosts = 1;

    for (size_t i = 0; i < 3; i++) {
        PQconninfoOption *o = option(all, lists[i]);
        _cleanup_free_ char *turned = NULL;

        if (!o || !o->val || !strchr(o->val, ','))
            continue;
        hosts = list_length(o->val);
        turned = list_turned(o->val, rotation);
        option_set(all, lists[i], turned, true);
    }
    return hosts;
}

static void set_server_options(const struct conn_target *t, PQconninfoOption *all) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(OPTIONS_MAX);
    const PQconninfoOption *given = option(all, "options");
    int timeout = t->server_timeout_ms ? t->server_timeout_ms : t->statement_ms + SERVER_SLACK_MS;

    if (given && given->val)
        strbuf_addf(&b, "%s ", given->val);
    strbuf_adds(&b,
                "-c timezone=UTC -c datestyle=ISO -c default_transaction_isolation=read\\ committed"
                " -c client_min_messages=warning");
    if (t->plan_once)
        strbuf_adds(&b, " -c plan_cache_mode=force_generic_plan");
    strbuf_addf(&b, " -c statement_timeout=%d", timeout < 0 ? 0 : timeout);
    if (t->idle_in_tx_ms > 0)
        strbuf_addf(&b, " -c idle_in_transaction_session_timeout=%d", t->idle_in_tx_ms);
    option_set(all, "options", b.data, true);
    option_set(all, "application_name", t->app_name, false);
    option_set(all, "client_encoding", "UTF8", true);
    option_set(all, "target_session_attrs", "read-write", false);
    option_set(all, "keepalives_idle", "30", false);
}

/* The text of libpq's errors has several lines, one per host. */
static void note_connect_error(const PGconn *pg) {
    _cleanup_free_ char *text = xstrdup(PQerrorMessage(pg));
    size_t n = strlen(text);

    while (n && text[n - 1] == '\n')
        text[--n] = '\0';
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = ';';
    fault_note("connect: %s", *text ? text : "failed");
}

/* STATUS_OK; FAULT_DB_DOWN: it could not; FAULT_IO: the deadline passed. */
static Status finish_connecting(PGconn *pg, int64_t deadline) {
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;

    for (;;) {
        struct pollfd fd = {.fd = PQsocket(pg),
                            .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int64_t left = deadline - clock_monotonic_us();

        if (PQstatus(pg) == CONNECTION_BAD)
            return FAULT_DB_DOWN;
        if (left <= 0)
            return FAULT_IO;
        if (poll(&fd, 1, (int)(left / US_PER_MS) + 1) <= 0)
            continue;
        want = PQconnectPoll(pg);
        if (want == PGRES_POLLING_OK)
            return STATUS_OK;
        if (want == PGRES_POLLING_FAILED)
            return FAULT_DB_DOWN;
    }
}

static void ignore_notice(void *ctx, const PGresult *r) {
    (void)ctx;
    (void)r;
}

static PGconn *start_connecting(PQconninfoOption *all) {
    const char *keywords[64] = {0}, *values[64] = {0};
    size_t n = 0;

    for (const PQconninfoOption *o = all; o->keyword && n < 63; o++) {
        if (!o->val)
            continue;
        keywords[n] = o->keyword;
        values[n++] = o->val;
    }
    return PQconnectStartParams(keywords, values, 0);
}

Status conn_open(struct conn_target *t, int64_t deadline, struct db_conn **ret) {
    char *parse_error = NULL;
    PQconninfoOption *all = PQconninfoParse(t->url, &parse_error);
    unsigned rotation = atomic_load(&t->rotation);
    struct db_conn *c;
    size_t hosts;
    Status s;

    if (!all) {
        fault_note("connect: the database's URL is not valid");
        PQfreemem(parse_error); /* it quotes the URL, which may hold a password */
        return FAULT_DB_DOWN;
    }
    hosts = turn_hosts(all, rotation);
    set_server_options(t, all);
    if (hosts > 1 && deadline > clock_monotonic_us() + HOST_MS * US_PER_MS)
        deadline = clock_monotonic_us() + HOST_MS * US_PER_MS;
    c = xcalloc(1, sizeof *c);
    c->pg = start_connecting(all);
    PQconninfoFree(all);
    if (!c->pg)
        die("out of memory");
    PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
    s = finish_connecting(c->pg, deadline);
    if (s == STATUS_OK && PQsetnonblocking(c->pg, 1) == 0 && PQenterPipelineMode(c->pg) == 1) {
        *ret = c;
        return STATUS_OK;
    }
    if (s == FAULT_IO) {
        atomic_compare_exchange_strong(&t->rotation, &rotation, rotation + 1);
        fault_note("connect: no answer in time");
    } else {
        note_connect_error(c->pg);
    }
    conn_close(c);
    return FAULT_DB_DOWN;
}
