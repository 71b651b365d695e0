#include "cli/chain.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "cli/checkpoint.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct link {
    int64_t seq;
    char prev[SHA256_HEX], hash[SHA256_HEX];
    bool whole; /* it is a record */
};

struct links {
    struct link *at;
    size_t n, cap;
};

static void bad(struct chain_report *r, size_t line, int64_t seq, const char *kind,
                const char *format, ...) PRINTF(5, 6);
static void bad(struct chain_report *r, size_t line, int64_t seq, const char *kind,
                const char *format, ...) {
    va_list args;

    r->good = false;
    r->line = line;
    r->seq = seq;
    r->kind = kind;
    va_start(args, format);
    vsnprintf(r->text, sizeof(r->text), format, args);
    va_end(args);
}

static bool is_hash(const char *text) {
    return strlen(text) == SHA256_HEX - 1 && strspn(text, "0123456789abcdef") == SHA256_HEX - 1;
}

static bool take(const char **at, const char *end, const char *text) {
    size_t n = strlen(text);

    if ((size_t)(end - *at) < n || memcmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

/* A line that begins as PostgreSQL writes records, so that its JSON need not be parsed, which takes
 * six times as long: what else it holds is its hash's matter. */
static bool read_plain(const char *line, size_t n, struct link *ret, char chain[CHAIN_NAME]) {
    const char *at = line, *end = line + n, *stop;
    size_t digits = 0;
    int64_t seq = 0;

    if (n == 0 || end[-1] != '}' || !take(&at, end, "{\"seq\" : "))
        return false;
    for (; at < end && *at >= '0' && *at <= '9' && digits < 18; at++, digits++)
        seq = seq * 10 + (*at - '0');
    if (seq == 0 || !take(&at, end, ", \"prev\" : \"") || end - at < SHA256_HEX)
        return false;
    memcpy(ret->prev, at, SHA256_HEX - 1);
    at += SHA256_HEX - 1;
    if (!is_hash(ret->prev) || !take(&at, end, "\", \"chain\" : \""))
        return false;
    stop = memchr(at, '"', (size_t)(end - at));
    if (!stop || stop - at >= CHAIN_NAME || memchr(at, '\\', (size_t)(stop - at)) ||
        memchr(at, '\0', (size_t)(stop - at)))
        return false;
    memcpy(chain, at, (size_t)(stop - at));
    chain[stop - at] = '\0';
    ret->seq = seq;
    return take(&stop, end, "\", \"at\" : \"");
}

static bool read_json(const char *line, size_t n, struct link *ret, char chain[CHAIN_NAME]) {
    json_auto_t *json = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    const char *name = json_str(json, "chain", ""), *prev = json_str(json, "prev", "");

    ret->seq = json_int(json, "seq", 0);
    if (!*name || strlen(name) >= CHAIN_NAME || ret->seq < 1 || !is_hash(prev))
        return false;
    memcpy(chain, name, strlen(name) + 1);
    memcpy(ret->prev, prev, SHA256_HEX);
    return true;
}

/* Reads a line; false when it belongs to another chain (the report then says so). */
static bool read_link(const char *line, size_t n, size_t number, struct link *ret,
                      struct chain_report *r) {
    char chain[CHAIN_NAME];

    *ret = (struct link){0};
    sha256_hex(line, n, ret->hash);
    ret->whole = read_plain(line, n, ret, chain) || read_json(line, n, ret, chain);
    if (!ret->whole)
        return true;
    if (!r->chain[0])
        memcpy(r->chain, chain, strlen(chain) + 1);
    if (strcmp(r->chain, chain) == 0)
        return true;
    bad(r, number, ret->seq, "other-chain", "it belongs to chain %.80s, the file to %.80s", chain,
        r->chain);
    return false;
}

static bool read_links(FILE *from, struct links *links, struct chain_report *r) {
    _cleanup_free_ char *line = NULL;
    size_t room = 0, n;
    ssize_t got;

    while ((got = getline(&line, &room, from)) > 0) {
        n = (size_t)got - (line[got - 1] == '\n');
        if (links->n == links->cap) {
            links->cap = links->cap ? links->cap * 2 : 1024;
            links->at = xrealloc(links->at, links->cap * sizeof(*links->at));
        }
        if (!read_link(line, n, links->n + 1, &links->at[links->n], r))
            return false;
        links->n++;
    }
    return true;
}

static const struct link *find_seq(const struct links *l, size_t from, size_t to, int64_t seq) {
    for (size_t i = from; i < to; i++) {
        if (l->at[i].whole && l->at[i].seq == seq)
            return &l->at[i];
    }
    return NULL;
}

/* The first link that is no record. */
static void judge_broken(const struct links *l, size_t i, struct chain_report *r) {
    if (i + 1 == l->n)
        bad(r, i + 1, 0, "cut", "the last line is no whole record: the file was cut off inside it");
    else
        bad(r, i + 1, 0, "not-a-record", "it is no record (JSON with seq, prev and chain)");
}

/* seq is higher than the one that follows the line before. */
static void judge_gap(const struct links *l, size_t i, int64_t expected, struct chain_report *r) {
    int64_t seq = l->at[i].seq;

    if (find_seq(l, i + 1, l->n, expected))
        bad(r, i + 1, seq, "re-ordered", "record %lld stands where %lld belongs, which comes later",
            (long long)seq, (long long)expected);
    else if (seq - 1 == expected)
        bad(r, i + 1, expected, "removed", "record %lld was removed before this line",
            (long long)expected);
    else
        bad(r, i + 1, expected, "removed", "records %lld to %lld were removed before this line",
            (long long)expected, (long long)seq - 1);
}

/* seq is not higher than that of the line before. */
static void judge_repeat(const struct links *l, size_t i, struct chain_report *r) {
    const struct link *same = find_seq(l, 0, i, l->at[i].seq);
    long long seq = (long long)l->at[i].seq;

    if (same && strcmp(same->hash, l->at[i].hash) == 0)
        bad(r, i + 1, seq, "inserted", "record %lld is here a second time", seq);
    else if (same == &l->at[i - 1] && i >= 2 && strcmp(l->at[i].prev, l->at[i - 2].hash) == 0 &&
             i + 1 < l->n && strcmp(l->at[i + 1].prev, l->at[i].hash) == 0)
        bad(r, i, seq, "inserted", "it was inserted: the true record %lld follows it", seq);
    else if (same)
        bad(r, i + 1, seq, "inserted", "it was inserted: record %lld was here already", seq);
    else
        bad(r, i + 1, seq, "re-ordered", "record %lld comes after record %lld", seq,
            (long long)l->at[i - 1].seq);
}

/* seq follows, but prev is not the hash of the line before: one of the two was changed.  If the
 * line after i agrees with i as it is, then i is what was written, and the one before it is not. */
static void judge_change(const struct links *l, size_t i, struct chain_report *r) {
    bool confirmed = i + 1 < l->n && strcmp(l->at[i + 1].prev, l->at[i].hash) == 0;

    if (confirmed || i + 1 == l->n)
        bad(r, i, l->at[i - 1].seq, "changed",
            "record %lld was changed: line %zu was written after another text",
            (long long)l->at[i - 1].seq, i + 1);
    else
        bad(r, i + 1, l->at[i].seq, "changed",
            "record %lld was changed: it agrees neither with the line before nor the one after",
            (long long)l->at[i].seq);
}

static bool judge_first(const struct link *first, struct chain_report *r) {
    if (first->seq == 1 && strspn(first->prev, "0") != SHA256_HEX - 1) {
        bad(r, 1, 1, "changed",
            "record 1 was changed: before it there is nothing, yet it names a hash");
        return false;
    }
    return true;
}

static bool judge_links(const struct links *l, struct chain_report *r) {
    for (size_t i = 0; i < l->n; i++) {
        const struct link *at = &l->at[i];
        int64_t expected = i ? l->at[i - 1].seq + 1 : at->seq;

        if (!at->whole)
            judge_broken(l, i, r);
        else if (i == 0 && judge_first(at, r))
            continue;
        else if (i && at->seq > expected)
            judge_gap(l, i, expected, r);
        else if (i && at->seq < expected)
            judge_repeat(l, i, r);
        else if (i && strcmp(at->prev, l->at[i - 1].hash) != 0)
            judge_change(l, i, r);
        else
            continue;
        return false;
    }
    return true;
}

static void judge_head(const struct links *l, const char *head, struct chain_report *r) {
    const struct link *last = &l->at[l->n - 1];

    r->against_head = true;
    for (size_t i = l->n; i-- > 0;) {
        if (strcasecmp(l->at[i].hash, head) == 0) {
            r->newer = (int64_t)(l->n - 1 - i);
            return;
        }
    }
    bad(r, 0, last->seq + 1, "cut",
        "no line has the head that was given: the records after line %zu (record %lld) were cut "
        "off, or the chain was written anew",
        l->n, (long long)last->seq);
}

/* A chain without a fault in itself, against what was signed of it. */
static void judge_marks(const struct links *l, const struct checkpoints *checkpoints,
                        struct chain_report *r) {
    const struct marked_chain *chain = checkpoints_chain(checkpoints, r->chain);
    int64_t first = l->at[0].seq, last = l->at[l->n - 1].seq, agreed = first - 1;

    for (size_t i = 0; chain && i < chain->n; i++) {
        const struct mark *mark = &chain->marks[i];
        const char *hash;

        if (mark->length < first - 1)
            continue; /* before what the file holds */
        r->mark = mark;
        if (mark->length > last) {
            bad(r, 0, last + 1, "cut",
                "the records after %lld were cut off: checkpoint %lld of %s names record %lld",
                (long long)last, (long long)mark->number, mark->at, (long long)mark->length);
            return;
        }
        hash = mark->length < first ? l->at[0].prev : l->at[mark->length - first].hash;
        if (strcmp(hash, mark->head) != 0) {
            bad(r, mark->length < first ? 1 : (size_t)(mark->length - first) + 1, mark->length,
                "rewritten",
                "the chain was written anew, from one of the records %lld to %lld on: record %lld "
                "is not the one that checkpoint %lld of %s names",
                (long long)agreed + 1, (long long)mark->length, (long long)mark->length,
                (long long)mark->number, mark->at);
            return;
        }
        agreed = mark->length;
    }
    r->newer = last - agreed;
    if (!r->mark)
        bad(r, 0, 0, "no-checkpoint",
            "no checkpoint names a record of it: nothing says that it is what was written");
}

void chain_verify(FILE *from, const char *head, const struct checkpoints *checkpoints,
                  struct chain_report *ret) {
    struct links links = {0};

    *ret = (struct chain_report){.good = true};
    if (read_links(from, &links, ret)) {
        if (links.n == 0)
            bad(ret, 0, 0, "cut", "the file holds no record");
        else if (judge_links(&links, ret) && checkpoints)
            judge_marks(&links, checkpoints, ret);
        if (ret->good && head)
            judge_head(&links, head, ret);
    }
    if (links.n) {
        ret->records = (int64_t)links.n;
        ret->first_seq = links.at[0].seq;
        ret->last_seq = links.at[links.n - 1].seq;
        memcpy(ret->head, links.at[links.n - 1].hash, SHA256_HEX);
    }
    free(links.at);
}
