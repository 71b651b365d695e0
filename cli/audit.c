/* cli/audit.c: the audit chains: listed, exported, and verified without a server. */
#include "base/cleanup.h"
#include "cli/chain.h"
#include "cli/commands.h"
#include "cli/text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 5000 };

static void print_report(const struct chain_report *r, const char *file) {
    if (!r->good) {
        fputs(file, stdout);
        if (r->line)
            printf(", line %zu", r->line);
        printf(": %s: ", r->kind);
        text_print_clean(stdout, r->text);
        putchar('\n');
        return;
    }
    fputs(file, stdout);
    fputs(": chain ", stdout);
    text_print_clean(stdout, r->chain);
    printf(" is whole: %lld records, %lld to %lld\nhead %s\n", (long long)r->records,
           (long long)r->first_seq, (long long)r->last_seq, r->head);
    if (r->past_head)
        printf("%lld records are newer than the head that was given\n", (long long)r->past_head);
}

static void print_report_json(const struct chain_report *r) {
    json_auto_t *v = json_object();

    json_object_set_new(v, "ok", json_boolean(r->good));
    json_set_str(v, "chain", r->chain[0] ? r->chain : NULL);
    json_object_set_new(v, "records", json_integer(r->records));
    json_object_set_new(v, "first_seq", json_integer(r->first_seq));
    json_object_set_new(v, "last_seq", json_integer(r->last_seq));
    json_set_str(v, "head", r->head[0] ? r->head : NULL);
    if (r->good) {
        json_object_set_new(v, "problem", json_null());
    } else {
        json_object_set_new(v, "problem",
                            json_pack("{s:o,s:s,s:s}", "line",
                                      r->line ? json_integer((json_int_t)r->line) : json_null(),
                                      "kind", r->kind, "detail", r->text));
    }
    print_json(v);
}

ExitCode run_audit_verify(struct session *s, const struct args *a) {
    const char *file = arg_operand(a, 0), *head = arg_text(a, "head");
    bool standard = strcmp(file, "-") == 0;
    struct chain_report report;
    FILE *from;

    if (head && (strlen(head) != SHA256_HEX - 1 ||
                 strspn(head, "0123456789abcdefABCDEF") != SHA256_HEX - 1))
        return usage_error("--head wants the 64 hex digits of a SHA-256");
    from = standard ? stdin : fopen(file, "re");
    if (!from)
        return usage_error("%s: %s", file, strerror(errno));
    chain_verify(from, head, &report);
    if (!standard)
        fclose(from);
    if (s->json)
        print_report_json(&report);
    else
        print_report(&report, file);
    return report.good ? EXIT_DONE : EXIT_UNDONE;
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
    table_print(&table, stdout);
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
