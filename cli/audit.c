/* cli/audit.c: the audit chains: listed, exported, and verified without a server. */
#include "base/cleanup.h"
#include "cli/chain.h"
#include "cli/checkpoint.h"
#include "cli/commands.h"
#include "cli/resources.h"
#include "cli/text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 5000 };

/* What the links alone do not show. */
static void print_against(const struct chain_report *r) {
    if (r->mark)
        printf("it agrees with the checkpoints up to %lld of %s\n", (long long)r->mark->number,
               r->mark->at);
    if (r->newer)
        printf("%lld records are newer than %s\n", (long long)r->newer,
               r->against_head ? "the head that was given" : "that");
    if (!r->mark && !r->against_head)
        puts("not shown without --head or --checkpoints: a cut tail, and a chain written anew");
}

static void print_report(const struct chain_report *r, const char *file) {
    fputs(file, stdout);
    if (!r->good) {
        if (r->line)
            printf(", line %zu", r->line);
        printf(": %s: ", r->kind);
        if (r->chain[0]) {
            fputs("chain ", stdout);
            text_print_clean(stdout, r->chain);
            fputs(": ", stdout);
        }
        text_print_clean(stdout, r->text);
        putchar('\n');
        return;
    }
    fputs(": chain ", stdout);
    text_print_clean(stdout, r->chain);
    printf(" is whole: %lld records, %lld to %lld\nhead %s\n", (long long)r->records,
           (long long)r->first_seq, (long long)r->last_seq, r->head);
    print_against(r);
}

static json_t *number_or_null(int64_t n) {
    return n ? json_integer(n) : json_null();
}

static void print_report_json(const struct chain_report *r, const char *file) {
    json_auto_t *v = json_object();

    json_object_set_new(v, "ok", json_boolean(r->good));
    json_set_str(v, "file", file);
    json_set_str(v, "chain", r->chain[0] ? r->chain : NULL);
    json_object_set_new(v, "records", json_integer(r->records));
    json_object_set_new(v, "first_seq", json_integer(r->first_seq));
    json_object_set_new(v, "last_seq", json_integer(r->last_seq));
    json_set_str(v, "head", r->head[0] ? r->head : NULL);
    json_object_set_new(v, "against_head", json_boolean(r->against_head));
    json_object_set_new(v, "checkpoint", number_or_null(r->mark ? r->mark->number : 0));
    json_object_set_new(v, "newer", json_integer(r->newer));
    json_object_set_new(
        v, "problem",
        r->good ? json_null()
                : json_pack("{s:o,s:o,s:s,s:s}", "line", number_or_null((int64_t)r->line), "seq",
                            number_or_null(r->seq), "kind", r->kind, "detail", r->text));
    print_json(v);
}

static void print_checkpoints(const struct session *s, const struct checkpoints *c,
                              const char *path) {
    if (s->json) {
        json_auto_t *v =
            json_pack("{s:b,s:s,s:o,s:o}", "ok", !c->kind, "checkpoints", path, "first",
                      number_or_null(c->first), "last", number_or_null(c->last));

        json_set_str(v, "at", c->last ? c->last_at : NULL);
        json_object_set_new(v, "problem",
                            !c->kind
                                ? json_null()
                                : json_pack("{s:o,s:s,s:s}", "number", number_or_null(c->number),
                                            "kind", c->kind, "detail", c->text));
        print_json(v);
        return;
    }
    fputs(path, stdout);
    if (c->kind) {
        printf(": %s: ", c->kind);
        text_print_clean(stdout, c->text);
        putchar('\n');
    } else {
        printf(": checkpoints %lld to %lld are signed and follow one another; the last is of %s\n",
               (long long)c->first, (long long)c->last, c->last_at);
    }
}

/* The public keys of --key; NULL after a line on stderr. */
static struct note_keys *keys_of(const struct args *a) {
    struct note_keys *keys = note_keys_new();
    const char *path;
    size_t at = 0;

    while ((path = arg_list(a, "key", &at))) {
        _cleanup_free_ char *text = read_input(path);

        if (text && note_keys_add(keys, text))
            continue;
        if (text)
            usage_error("%s is no Ed25519 public key (PEM, or NAME+ID+KEY)", path);
        note_keys_free(keys);
        return NULL;
    }
    return keys;
}

static ExitCode read_checkpoints(struct session *s, const struct args *a, const char *path,
                                 struct checkpoints *ret) {
    struct note_keys *keys;
    char why[300];
    bool read;
    size_t at = 0;

    if (!arg_list(a, "key", &at))
        return usage_error("--checkpoints needs --key: without it anybody can have written them");
    keys = keys_of(a);
    if (!keys)
        return EXIT_USAGE;
    read = checkpoints_read(path, keys, ret, why, sizeof(why));
    note_keys_free(keys);
    if (!read)
        return usage_error("%s", why);
    print_checkpoints(s, ret, path);
    return ret->kind ? EXIT_UNDONE : EXIT_DONE;
}

static ExitCode verify_one(struct session *s, const char *file, const char *head,
                           const struct checkpoints *checkpoints) {
    bool standard = strcmp(file, "-") == 0;
    struct chain_report report;
    FILE *from = standard ? stdin : fopen(file, "re");

    if (!from)
        return usage_error("%s: %s", file, strerror(errno));
    chain_verify(from, head, checkpoints, &report);
    if (!standard)
        fclose(from);
    if (s->json)
        print_report_json(&report, file);
    else
        print_report(&report, file);
    return report.good ? EXIT_DONE : EXIT_UNDONE;
}

ExitCode run_audit_verify(struct session *s, const struct args *a) {
    _cleanup_(checkpoints_done) struct checkpoints checkpoints = {0};
    const char *head = arg_text(a, "head"), *path = arg_text(a, "checkpoints");
    ExitCode worst = EXIT_DONE, code;
    size_t at = 0;

    if (head && (strlen(head) != SHA256_HEX - 1 ||
                 strspn(head, "0123456789abcdefABCDEF") != SHA256_HEX - 1))
        return usage_error("--head wants the 64 hex digits of a SHA-256");
    if (head && a->n_operands > 1)
        return usage_error("--head is of one chain: give one file");
    if (!path && arg_list(a, "key", &at))
        return usage_error("--key goes with --checkpoints");
    if (path)
        worst = read_checkpoints(s, a, path, &checkpoints);
    for (size_t i = 0; i < a->n_operands && worst != EXIT_USAGE; i++) {
        code = verify_one(s, arg_operand(a, i), head, path ? &checkpoints : NULL);
        worst = code > worst ? code : worst;
    }
    return worst;
}

ExitCode run_audit_chains(struct session *s, const struct args *a) {
    _cleanup_(table_done) struct table table = {.columns = 3};
    json_auto_t *chains = NULL;
    const json_t *chain;
    char length[24];
    ExitCode code;
    size_t i;

    (void)a;
    code = api_list(s, "/api/v1/audit/chains", &chains);
    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(chains);
        return EXIT_DONE;
    }
    table_add(&table, "CHAIN");
    table_add(&table, "RECORDS");
    table_add(&table, "HEAD");
    json_array_foreach(chains, i, chain) {
        snprintf(length, sizeof(length), "%lld", (long long)json_int(chain, "length", 0));
        table_add(&table, json_str(chain, "name", NULL));
        table_add(&table, length);
        table_add(&table, json_str(chain, "head", NULL));
    }
    show_table(s, &table);
    return EXIT_DONE;
}

/* The seq of the last line of a page; 0 when it holds none. */
static int64_t last_seq(const char *text, size_t n) {
    const char *end = n && text[n - 1] == '\n' ? text + n - 1 : text + n, *start;
    json_auto_t *json = NULL;

    start = end > text ? memrchr(text, '\n', (size_t)(end - text)) : NULL;
    start = start ? start + 1 : text;
    json = json_loadb(start, (size_t)(end - start), JSON_ALLOW_NUL, NULL);
    return json_int(json, "seq", 0);
}

/* Copies the chain in parts: no answer is too large then, and none takes too long. */
static ExitCode copy_chain(struct session *s, const char *chain, FILE *to) {
    int64_t next = 1, last;

    for (;;) {
        _cleanup_free_ char *encoded = api_path("/audit?chain=%s", chain);
        _cleanup_free_ char *path = xasprintf("%s&from_seq=%lld&to_seq=%lld", encoded,
                                              (long long)next, (long long)next + PAGE - 1);
        _cleanup_(api_answer_done) struct api_answer answer = {0};
        ExitCode code =
            api_do(s, &(struct api_call){.path = path, .accept = "application/x-ndjson"}, &answer);

        if (code != EXIT_DONE)
            return code;
        last = last_seq(answer.text, answer.n);
        if (answer.n == 0 || last < next)
            return EXIT_DONE;
        if (fwrite(answer.text, 1, answer.n, to) != answer.n)
            return usage_error("the output cannot be written: %s", strerror(errno));
        next = last + 1;
    }
}

ExitCode run_audit_export(struct session *s, const struct args *a) {
    const char *out = arg_text(a, "out");
    FILE *to = out ? fopen(out, "we") : stdout;
    ExitCode code;

    if (!to)
        return usage_error("%s: %s", out, strerror(errno));
    code = copy_chain(s, arg_operand(a, 0), to);
    if ((out ? fclose(to) : fflush(to)) != 0 && code == EXIT_DONE)
        code = usage_error("%s: %s", out ? out : "standard output", strerror(errno));
    return code;
}

/* Writes the notes of a page; the number after its last one, 0 when no more follow. */
static int64_t copy_notes(const json_t *page, FILE *to) {
    const json_t *items = json_object_get(page, "items"), *item;
    int64_t next = 0;
    size_t i;

    json_array_foreach(items, i, item) {
        fputs(json_str(item, "note", ""), to);
        next = json_int(item, "number", 0) + 1;
    }
    return json_is_string(json_object_get(page, "next_cursor")) ? next : 0;
}

ExitCode run_audit_checkpoints(struct session *s, const struct args *a) {
    const char *out = arg_text(a, "out"), *from = arg_text(a, "from");
    FILE *to = out ? fopen(out, "we") : stdout;
    int64_t next = from ? strtoll(from, NULL, 10) : 1;
    ExitCode code = EXIT_DONE;
    bool failed;

    if (!to)
        return usage_error("%s: %s", out, strerror(errno));
    while (next && code == EXIT_DONE) {
        _cleanup_free_ char *number = xasprintf("%lld", (long long)next);
        _cleanup_free_ char *path = api_path("/audit/checkpoints?from=%s", number);
        _cleanup_(api_answer_done) struct api_answer answer = {0};

        code = api_do(s, &(struct api_call){.path = path}, &answer);
        next = code == EXIT_DONE ? copy_notes(answer.json, to) : 0;
    }
    failed = ferror(to) != 0;
    failed = (out ? fclose(to) : fflush(to)) != 0 || failed;
    if (failed && code == EXIT_DONE)
        code = usage_error("%s: %s", out ? out : "standard output", strerror(errno));
    return code;
}
