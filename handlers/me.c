/* handlers/me.c: who the caller is, on the I/O thread; written as text, because building it as
 * values costs more than all the rest of the request. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"

enum { ME_MAX = 64 * 1024 }; /* credentials have at most 8 KiB, keys 100 apps */

static void put_text(struct strbuf *out, const char *before, const char *text) {
    strbuf_adds(out, before);
    if (text)
        strbuf_add_json(out, text);
    else
        strbuf_adds(out, "null");
}

static void put_list(struct strbuf *out, const char *before, const char *const *items) {
    const char *const *item = items;

    strbuf_adds(out, before);
    strbuf_adds(out, "[");
    for (; item && *item; item++)
        put_text(out, item == items ? "" : ",", *item);
    strbuf_adds(out, "]");
}

/* What is effective of them. */
static void put_scopes(struct strbuf *out, const struct principal *p) {
    const char *effective[SCOPES_MAX + 1] = {NULL};
    size_t n = 0;

    for (const char *const *scope = p->scopes; scope && *scope && n < SCOPES_MAX; scope++)
        if (!kind_never(p->kind, *scope))
            effective[n++] = *scope;
    put_list(out, ",\"scopes\":", effective);
}

Status me_get(struct request *q, const void *in, struct reply *r) {
    const struct principal *p = q->principal;
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(ME_MAX);
    char until[TIME_TEXT];

    (void)in;
    put_text(&out, "{\"kind\":", p->kind);
    put_text(&out, ",\"subject\":", p->subject);
    put_text(&out, ",\"issuer\":", p->issuer);
    put_text(&out, ",\"display_name\":", p->display_name);
    put_list(&out, ",\"roles\":", p->roles);
    put_scopes(&out, p);
    put_list(&out, ",\"apps\":", p->apps);
    put_text(&out, ",\"environment\":", p->environment);
    put_text(&out, ",\"expires_at\":", p->expires_us ? clock_format(p->expires_us, until) : NULL);
    strbuf_adds(&out, "}\n");
    if (out.overflowed)
        return FAULT_BUG;
    r->raw_len = out.len;
    r->raw = strbuf_take(&out);
    r->content_type = "application/json";
    return STATUS_OK;
}
