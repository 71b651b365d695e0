/* handlers/flag_client.c: see flag_client.h. */
#include "handlers/flag_client.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "http/page.h"

enum { TIME_STEP_S = 60 };

static Status flags_missing(const struct request *q, struct reply *r) {
    struct flag_loader *loader = context_of(q)->flags;
    const struct principal *p = q->principal;
    struct flag_age age = flag_loader_age(loader);

    flag_loader_nudge(loader);
    r->retry_after_s = 1;
    if (!age.read || age.stale)
        return reply_refuse(r, E_DATABASE_UNAVAILABLE,
                            "The flags of %s/%s were not read yet; try again.", p->apps[0],
                            p->environment);
    return reply_refuse(r, E_FORBIDDEN, "There is no environment %s/%s.", p->apps[0],
                        p->environment);
}

Status caller_flags(const struct request *q, const struct snapshot **ret, struct reply *r) {
    const struct principal *p = q->principal;

    *ret = NULL;
    if (!p->environment || !p->apps || !p->apps[0])
        return reply_refuse(r, E_FORBIDDEN,
                            "Flags are evaluated with an API key of role flags:client, which names "
                            "its app and environment.");
    *ret = snapshot_take(flag_loader_set(context_of(q)->flags), p->apps[0], p->environment);
    return *ret ? STATUS_OK : flags_missing(q, r);
}

long long flag_time_step(const struct snapshot *s) {
    return s->by_time ? clock_now_us() / US_PER_S / TIME_STEP_S : 0;
}

bool caller_has(const struct request *q, const char *etag) {
    const char *given = request_header(q, "If-None-Match");

    return given && etag_listed(given, etag);
}

struct flag_context flag_context_of(const struct snapshot *s) {
    static _Thread_local uint64_t chance;

    if (!chance)
        random_bytes(&chance, sizeof chance);
    return (struct flag_context){
        .environment = s->environment, .now_us = clock_now_us(), .random = &chance};
}

Status answer_bytes(struct reply *r, struct strbuf *out) {
    if (out->overflowed)
        return reply_refuse(r, E_OVERLOADED, "The answer would have more than %zu bytes.",
                            out->max);
    r->raw_len = out->len;
    r->raw = strbuf_take(out);
    r->content_type = "application/json";
    return STATUS_OK;
}
