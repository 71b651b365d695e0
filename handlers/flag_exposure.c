/* handlers/flag_exposure.c: what clients say of a flag in an environment: whether anybody still
 * asks for it, and what they get. */
#include "base/cleanup.h"
#include "db/exposure.h"
#include "handlers/answer.h"
#include "handlers/flag.h"
#include "handlers/handlers.h"
#include <stdlib.h>

enum { HOURS = 24 };

static Status hours_of(const struct request *q, int64_t *ret, struct reply *r) {
    const char *text = request_query(q, "hours");
    char *end = NULL;

    *ret = text ? strtoll(text, &end, 10) : HOURS;
    if (text && (!*text || *end || *ret < 1 || *ret > EXPOSURE_KEEP_DAYS * 24))
        return reply_query_error(r, "hours", "range", "Must be a number from 1 to %d.",
                                 EXPOSURE_KEEP_DAYS * 24);
    return STATUS_OK;
}

static json_t *items_json(const struct db_rows *rows) {
    json_t *items = json_array();

    for (size_t i = 0; i < db_rows_count(rows); i++) {
        json_t *item = json_object();

        json_set_time(item, "hour", db_time(rows, i, "hour"));
        json_set_str(item, "app_name", db_text(rows, i, "app_name"));
        json_object_set_new(item, "yes", json_integer(db_int(rows, i, "yes")));
        json_object_set_new(item, "no", json_integer(db_int(rows, i, "no")));
        json_object_set_new(item, "variants", db_json(rows, i, "variants"));
        json_array_append_new(items, item);
    }
    return items;
}

Status flag_exposure_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *state = NULL, *seen = NULL, *rows = NULL;
    struct db_pool *pool = context_of(q)->pool;
    struct flag_state_row row;
    json_t *out;
    int64_t hours;
    Status s = hours_of(q, &hours, r);

    (void)in;
    if (s == STATUS_OK)
        s = path_flag_state(q, &state, r);
    if (s != STATUS_OK)
        return s;
    row = flag_state_row(state, 0);
    s = db_exposure_last_seen(pool, row.environment_id, row.flag, &seen);
    if (s == STATUS_OK)
        s = db_exposure_list(pool, row.environment_id, row.flag, hours, &rows);
    if (s != STATUS_OK)
        return s;
    out = json_object();
    json_set_time(out, "last_seen_at", db_time(seen, 0, "last_at"));
    json_object_set_new(out, "items", items_json(rows));
    return answer(r, 200, out);
}
