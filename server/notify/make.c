/* notify/make.c: makes a checkpoint when one is due.
 *
 * One transaction: the turn (an advisory lock), what is due, the heads, the row.  Each statement
 * sees what was committed before it, so that a checkpoint never knows less than the one before. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "db/checkpoint.h"
#include "notify/task.h"
#include <stdio.h>
#include <string.h>

#define NO_CHECKPOINT "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" /* 32 zero bytes */

struct making {
    const struct work *work;
    int64_t number, records; /* of what was made; number 0: nothing */
    size_t chains;
};

char *checkpoint_name(int64_t number, const char *hash, char text[CHECKPOINT_NAME]) {
    size_t n = 0;
    _cleanup_free_ unsigned char *bytes = base64_decode(hash, &n);
    char hex[17] = "";

    if (bytes && n >= 8)
        hex_encode(bytes, 8, hex);
    snprintf(text, CHECKPOINT_NAME, "%010lld-%s", (long long)number, hex);
    return text;
}

static char *text_of(const char *name, int64_t number, const char *prev, int64_t at_us,
                     const struct db_rows *heads, int64_t *ret_records) {
    struct strbuf text = STRBUF(NOTE_TEXT_MAX);
    char at[TIME_TEXT];

    strbuf_addf(&text, "%s\n%lld\n%s\nat %s\n", name, (long long)number, prev,
                clock_format(at_us, at));
    *ret_records = 0;
    for (size_t i = 0; i < db_rows_count(heads); i++) {
        strbuf_addf(&text, "chain %s %lld %s\n", db_text(heads, i, "name"),
                    (long long)db_int(heads, i, "length"), db_text(heads, i, "head"));
        *ret_records += db_int(heads, i, "length");
    }
    if (text.overflowed)
        strbuf_clear(&text);
    return strbuf_take(&text);
}

/* The next one after what `due` says. */
static Status insert_next(struct db_tx *tx, struct making *m, const struct db_rows *due) {
    _cleanup_(db_rows_free) struct db_rows *heads = NULL;
    _cleanup_free_ char *text = NULL, *note = NULL;
    const char *prev = db_text(due, 0, "hash");
    struct checkpoint_row row = {.number = db_int(due, 0, "number") + 1,
                                 .made_us = db_time(due, 0, "at")};
    char hash[NOTE_HASH];
    Status s = db_checkpoint_heads(tx, &heads);

    if (s != STATUS_OK)
        return s;
    text = text_of(m->work->in.name, row.number, prev ? prev : NO_CHECKPOINT, row.made_us, heads,
                   &row.records);
    if (!*text)
        return FAULT_BUG;
    note = note_sign(m->work->signer, text);
    row.note = note;
    row.hash = note_hash(text, strlen(text), hash);
    row.chains = (int64_t)db_rows_count(heads);
    m->number = row.number;
    m->records = row.records;
    m->chains = db_rows_count(heads);
    return db_checkpoint_insert(tx, &row);
}

static Status make_in(struct db_tx *tx, void *ctx) {
    _cleanup_(db_rows_free) struct db_rows *due = NULL;
    struct making *m = ctx;
    bool mine;
    Status s = db_checkpoint_turn(tx, &mine);

    m->number = 0;
    if (s != STATUS_OK || !mine)
        return s;
    s = db_checkpoint_due(tx, m->work->in.every_s, m->work->in.every_records, &due);
    if (s != STATUS_OK || !db_bool(due, 0, "due"))
        return s;
    return insert_next(tx, m, due);
}

TaskResult checkpoint_make(struct work *w, int64_t *ret_number, char reterr[TASK_ERROR]) {
    struct making m = {.work = w};
    Status s = db_tx_run(w->in.pool, "checkpoint_make", DB_READ_COMMITTED, make_in, &m);

    if (s != STATUS_OK) {
        snprintf(reterr, TASK_ERROR, "%s", s < 0 ? db_fault_text() : status_row(s)->title);
        return TASK_FAILED;
    }
    if (m.number) {
        *ret_number = m.number;
        log_event(LOG_INFO, "checkpoint", "number", log_int(m.number, (char[24]){0}), "records",
                  log_int(m.records, (char[24]){0}), "chains",
                  log_int((int64_t)m.chains, (char[24]){0}), NULL);
    }
    return TASK_IDLE;
}
