#include "cli/checkpoint.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX        ".checkpoint"
#define DASH          "\xe2\x80\x94 "
#define NO_CHECKPOINT "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* Keeps the first thing that is wrong. */
static void bad(struct checkpoints *c, int64_t number, const char *kind, const char *format, ...)
    PRINTF(4, 5);
static void bad(struct checkpoints *c, int64_t number, const char *kind, const char *format, ...) {
    va_list args;

    if (c->kind)
        return;
    c->kind = kind;
    c->number = number;
    va_start(args, format);
    vsnprintf(c->text, sizeof(c->text), format, args);
    va_end(args);
}

static int by_name(const void *name, const void *chain) {
    return strcmp(name, ((const struct marked_chain *)chain)->name);
}

const struct marked_chain *checkpoints_chain(const struct checkpoints *c, const char *name) {
    return c->n_chains ? bsearch(name, c->chains, c->n_chains, sizeof(*c->chains), by_name) : NULL;
}

static struct marked_chain *chain_of(struct checkpoints *c, const char *name) {
    size_t i = 0;

    if (checkpoints_chain(c, name))
        return &c->chains[checkpoints_chain(c, name) - c->chains];
    while (i < c->n_chains && strcmp(c->chains[i].name, name) < 0)
        i++;
    c->chains = xrealloc(c->chains, (c->n_chains + 1) * sizeof(*c->chains));
    memmove(&c->chains[i + 1], &c->chains[i], (c->n_chains - i) * sizeof(*c->chains));
    c->chains[i] = (struct marked_chain){0};
    memcpy(c->chains[i].name, name, strlen(name) + 1); /* mark_read() measured it */
    c->n_chains++;
    return &c->chains[i];
}

static void mark_add(struct checkpoints *c, const char *name, const struct mark *mark) {
    struct marked_chain *chain = chain_of(c, name);
    const struct mark *last = chain->n ? &chain->marks[chain->n - 1] : NULL;
    bool same_head = last && strcmp(last->head, mark->head) == 0;

    chain->seen = mark->number;
    if (last && mark->length == last->length && same_head)
        return;
    if (last && mark->length < last->length)
        bad(c, mark->number, "went-back",
            "chain %s had %lld records in checkpoint %lld, and %lld in checkpoint %lld", name,
            (long long)last->length, (long long)last->number, (long long)mark->length,
            (long long)mark->number);
    else if (last && mark->length == last->length)
        bad(c, mark->number, "rewritten",
            "chain %s: checkpoint %lld names another record %lld than checkpoint %lld", name,
            (long long)mark->number, (long long)mark->length, (long long)last->number);
    if ((chain->n & (chain->n - 1)) == 0) /* full at powers of two */
        chain->marks = xrealloc(chain->marks, (chain->n ? chain->n * 2 : 1) * sizeof(*mark));
    chain->marks[chain->n++] = *mark;
}

/* The line at *at, as a string of its own in `text`; false at the end or when it is too long. */
static bool next_line(const char **at, const char *end, char *text, size_t size) {
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t n = stop ? (size_t)(stop - *at) : 0;

    if (!stop || n >= size)
        return false;
    memcpy(text, *at, n);
    text[n] = '\0';
    *at = stop + 1;
    return true;
}

/* Digits without a zero in front. */
static bool number_read(const char *text, size_t n, int64_t *ret) {
    if (n < 1 || n > 18 || strspn(text, "0123456789") < n || text[0] == '0')
        return false;
    *ret = strtoll(text, NULL, 10);
    return true;
}

/* "NAME LENGTH HEAD"; NULL when it is not that. */
static const char *mark_read(char *line, struct mark *ret) {
    char *length = strchr(line, ' '), *head = length ? strchr(length + 1, ' ') : NULL;

    if (!head || !number_read(length + 1, (size_t)(head - length - 1), &ret->length) ||
        strlen(head + 1) != SHA256_HEX - 1 ||
        strspn(head + 1, "0123456789abcdef") != SHA256_HEX - 1 || length - line >= CHAIN_NAME)
        return NULL;
    *length = '\0';
    memcpy(ret->head, head + 1, SHA256_HEX);
    return line;
}

struct head_lines {
    char origin[NOTE_KEY_NAME_MAX + 1], prev[NOTE_HASH];
    int64_t number;
    char at[TIME_TEXT];
};

static bool head_read(const char **at, const char *end, struct head_lines *ret) {
    char number[24], when[TIME_TEXT + 3];

    if (!next_line(at, end, ret->origin, sizeof(ret->origin)) ||
        !next_line(at, end, number, sizeof(number)) ||
        !number_read(number, strlen(number), &ret->number) ||
        !next_line(at, end, ret->prev, sizeof(ret->prev)) || strlen(ret->prev) != NOTE_HASH - 1 ||
        !next_line(at, end, when, sizeof(when)) || strncmp(when, "at ", 3) != 0)
        return false;
    memcpy(ret->at, when + 3, strlen(when + 3) + 1);
    return true;
}

/* How a checkpoint follows the last one.  false: it adds nothing. */
static bool follows(struct checkpoints *c, const struct head_lines *h, const char *hash) {
    long long number = (long long)h->number, last = (long long)c->last;

    if (number == last) {
        if (strcmp(hash, c->last_hash) != 0)
            bad(c, number, "fork", "there are two checkpoints %lld that differ", number);
        return strcmp(hash, c->last_hash) != 0;
    }
    if (number < last)
        bad(c, number, "re-ordered", "checkpoint %lld comes after checkpoint %lld", number, last);
    else if (last && number == last + 2)
        bad(c, number, "gap", "checkpoint %lld is missing", last + 1);
    else if (last && number > last + 1)
        bad(c, number, "gap", "checkpoints %lld to %lld are missing", last + 1, number - 1);
    else if (last && strcmp(h->prev, c->last_hash) != 0)
        bad(c, number, "fork",
            "checkpoint %lld does not follow the checkpoint %lld that is here, but another one",
            number, last);
    else if (number == 1 && strcmp(h->prev, NO_CHECKPOINT) != 0)
        bad(c, number, "fork", "checkpoint 1 names one before it");
    return true;
}

/* Chains are never deleted. */
static void judge_vanished(struct checkpoints *c) {
    for (size_t i = 0; i < c->n_chains && !c->kind; i++) {
        if (c->chains[i].seen != c->last)
            bad(c, c->last, "went-back", "checkpoint %lld names chain %s no more",
                (long long)c->last, c->chains[i].name);
    }
}

/* A text that a trusted key signed. */
static void take_text(struct checkpoints *c, const char *text, size_t n) {
    const char *at = text, *end = text + n;
    struct head_lines head;
    char hash[NOTE_HASH], line[CHAIN_NAME + 128];

    note_hash(text, n, hash);
    if (!head_read(&at, end, &head)) {
        bad(c, 0, "not-a-checkpoint", "a note that the key signed is no checkpoint");
        return;
    }
    if (!follows(c, &head, hash))
        return;
    c->first = c->first ? c->first : head.number;
    c->last = head.number;
    memcpy(c->last_hash, hash, sizeof(hash));
    memcpy(c->last_at, head.at, sizeof(head.at));
    while (at < end) {
        struct mark mark = {.number = head.number};
        const char *name;

        if (!next_line(&at, end, line, sizeof(line))) {
            bad(c, head.number, "not-a-checkpoint", "checkpoint %lld holds a line that is too long",
                (long long)head.number);
            return;
        }
        if (strncmp(line, "chain ", 6) != 0)
            continue; /* an extension: signed, and not ours to judge */
        memcpy(mark.at, head.at, sizeof(mark.at));
        name = mark_read(line + 6, &mark);
        if (name)
            mark_add(c, name, &mark);
        else
            bad(c, head.number, "not-a-checkpoint", "checkpoint %lld holds no head in: %.80s",
                (long long)head.number, line);
    }
    judge_vanished(c);
}

/* What it says of itself, for messages: nobody vouches for it. */
static int64_t claimed_number(const char *note) {
    const char *second = strchr(note, '\n');
    int64_t number = 0;

    return second && number_read(second + 1, strcspn(second + 1, "\n"), &number) ? number : 0;
}

static void take_note(struct checkpoints *c, const char *file, const struct strbuf *note,
                      const struct note_keys *keys) {
    int64_t number = claimed_number(note->data);
    size_t n;

    switch (note_open(note->data, note->len, keys, &n)) {
    case NOTE_GOOD:
        take_text(c, note->data, n);
        break;
    case NOTE_MALFORMED:
        bad(c, number, "not-a-checkpoint", "%.200s holds what is no signed note", file);
        break;
    case NOTE_UNKNOWN_KEY:
        bad(c, number, "unknown-key", "checkpoint %lld is not signed by a key that was given",
            (long long)number);
        break;
    case NOTE_BAD_SIGNATURE:
        bad(c, number, "bad-signature",
            "the signature of checkpoint %lld is wrong: it was changed after it was signed",
            (long long)number);
        break;
    }
}

/* A text ends at an empty line, its signatures at a line that is none. */
void checkpoints_take(struct checkpoints *c, const char *file, FILE *from,
                      const struct note_keys *keys) {
    _cleanup_(strbuf_done) struct strbuf note = STRBUF(NOTE_TEXT_MAX + 1);
    _cleanup_free_ char *line = NULL;
    bool text_ended = false;
    size_t room = 0;
    ssize_t n;

    while ((n = getline(&line, &room, from)) > 0) {
        if (text_ended && strncmp(line, DASH, strlen(DASH)) != 0) {
            take_note(c, file, &note, keys);
            strbuf_clear(&note);
            text_ended = false;
        }
        if (line[0] == '\n' && note.len == 0)
            continue; /* between two */
        if (line[0] == '\n')
            text_ended = true;
        strbuf_add(&note, line, (size_t)n);
    }
    if (note.len)
        take_note(c, file, &note, keys);
}

static bool take_file(struct checkpoints *c, const char *path, const struct note_keys *keys,
                      char *reterr, size_t n) {
    FILE *from = fopen(path, "re");

    if (!from) {
        snprintf(reterr, n, "%s: %s", path, strerror(errno));
        return false;
    }
    checkpoints_take(c, path, from, keys);
    fclose(from);
    return true;
}

static int is_checkpoint(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);

    return entry->d_name[0] != '.' && n > strlen(SUFFIX) &&
           strcmp(entry->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool take_folder(struct checkpoints *c, const char *path, const struct note_keys *keys,
                        char *reterr, size_t n) {
    struct dirent **names = NULL;
    int found = scandir(path, &names, is_checkpoint, by_bytes);
    bool good = found >= 0;

    if (!good)
        snprintf(reterr, n, "%s: %s", path, strerror(errno));
    for (int i = 0; i < found; i++) {
        _cleanup_free_ char *file = xasprintf("%s/%s", path, names[i]->d_name);

        good = good && take_file(c, file, keys, reterr, n);
        free(names[i]);
    }
    free(names);
    return good;
}

bool checkpoints_read(const char *path, const struct note_keys *keys, struct checkpoints *ret,
                      char *reterr, size_t n) {
    struct stat found;
    bool good;

    *ret = (struct checkpoints){0};
    if (stat(path, &found) != 0) {
        snprintf(reterr, n, "%s: %s", path, strerror(errno));
        return false;
    }
    good = S_ISDIR(found.st_mode) ? take_folder(ret, path, keys, reterr, n)
                                  : take_file(ret, path, keys, reterr, n);
    if (good && !ret->last)
        bad(ret, 0, "none", "there is no checkpoint that the key signed");
    return good;
}

void checkpoints_done(struct checkpoints *c) {
    for (size_t i = 0; i < c->n_chains; i++)
        free(c->chains[i].marks);
    free(c->chains);
    *c = (struct checkpoints){0};
}
