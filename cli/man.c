/* cli/man.c: the manual pages, in roff, from the table of commands. */
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "cli/commands.h"
#include <stdio.h>
#include <string.h>

enum { PAGE_MOST = 1 << 20 };

/* Of what the pages say by hand. */
#define PAGE_DATE "2026-11-30"

/* The code point that begins at *text, stepped over: the table is valid UTF-8. */
static unsigned code_point(const char **text) {
    const unsigned char *s = (const unsigned char *)*text;
    unsigned more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0;
    unsigned c = more ? s[0] & (0x3fu >> more) : s[0];

    for (unsigned i = 1; i <= more; i++)
        c = c << 6 | (s[i] & 0x3f);
    *text += 1 + more;
    return c;
}

/* Text in which nothing is a request or an escape. */
static void add_text(struct strbuf *b, const char *text) {
    bool begins = true; /* a line */
    unsigned c;

    while (*text) {
        c = code_point(&text);
        if (begins && (c == '.' || c == '\''))
            strbuf_adds(b, "\\&");
        if (c == '\\')
            strbuf_adds(b, "\\e");
        else if (c == '-')
            strbuf_adds(b, "\\-");
        else if (c >= 0x80)
            strbuf_addf(b, "\\[u%04X]", c);
        else
            strbuf_addf(b, "%c", (char)c);
        begins = c == '\n';
    }
}

/* A macro's argument. */
static void add_quoted(struct strbuf *b, const char *text) {
    _cleanup_(strbuf_done) struct strbuf clean = STRBUF(PAGE_MOST);

    add_text(&clean, text);
    strbuf_adds(b, "\"");
    for (const char *c = clean.data ? clean.data : ""; *c; c++)
        strbuf_addf(b, *c == '"' ? "\\(dq" : "%c", *c);
    strbuf_adds(b, "\"");
}

static void add_title(struct strbuf *b, const char *name) {
    strbuf_adds(b, ".\\\" made by: sluice man\n.TH ");
    add_quoted(b, name);
    strbuf_adds(b, " 1 " PAGE_DATE " \"sluice " SLUICE_VERSION "\" \"Sluice\"\n");
}

static void add_options(struct strbuf *b, const struct option_row *rows) {
    for (; rows && rows->name; rows++) {
        strbuf_adds(b, ".TP\n\\fB\\-\\-");
        add_text(b, rows->name);
        strbuf_adds(b, "\\fR");
        if (rows->value) {
            strbuf_adds(b, " \\fI");
            add_text(b, rows->value);
            strbuf_adds(b, "\\fR");
        }
        strbuf_adds(b, "\n");
        add_text(b, rows->help);
        strbuf_adds(b, "\n");
    }
}

static void add_rows(struct strbuf *b, const char *section, const struct help_row *rows) {
    strbuf_addf(b, ".SH %s\n", section);
    for (; rows->name; rows++) {
        strbuf_addf(b, ".TP\n.B %s\n", rows->name);
        add_text(b, rows->text);
        strbuf_adds(b, "\n");
    }
}

/* "A sentence." of one that begins small and ends without a full stop. */
static void add_sentence(struct strbuf *b, const char *text) {
    _cleanup_free_ char *sentence = xasprintf("%s.\n", text);

    if (*sentence >= 'a' && *sentence <= 'z')
        *sentence = (char)(*sentence - 'a' + 'A');
    add_text(b, sentence);
}

static void add_usage(struct strbuf *b, const struct command *c) {
    strbuf_adds(b, "\\fBsluice ");
    add_text(b, c->words);
    strbuf_adds(b, "\\fR");
    if (*c->operands) {
        strbuf_adds(b, " \\fI");
        add_text(b, c->operands);
        strbuf_adds(b, "\\fR");
    }
    strbuf_adds(b, " [\\fIoptions\\fR]\n");
}

/* The lines of a text, each as a line of its own. */
static void add_lines(struct strbuf *b, const char *text) {
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        _cleanup_free_ char *line = xasprintf("%.*s", (int)(n = strcspn(text, "\n")), text);

        strbuf_adds(b, ".br\n");
        add_text(b, line);
        strbuf_adds(b, "\n");
    }
}

static void add_command(struct strbuf *b, const struct command *c) {
    strbuf_adds(b, ".SS ");
    add_quoted(b, c->words);
    strbuf_adds(b, "\n");
    add_usage(b, c);
    strbuf_adds(b, ".PP\n");
    add_sentence(b, c->summary);
    if (c->details)
        add_lines(b, c->details);
    add_options(b, c->options);
}

static void add_end(struct strbuf *b) {
    add_rows(b, "ENVIRONMENT", environment_rows);
    add_rows(b, "EXIT STATUS", exit_rows);
}

static void add_page(struct strbuf *b) {
    add_title(b, "SLUICE");
    strbuf_adds(b,
                ".SH NAME\nsluice \\- the command line of Sluice, the release control plane\n"
                ".SH SYNOPSIS\n\\fBsluice\\fR \\fICOMMAND\\fR [\\fIoperands\\fR] "
                "[\\fIoptions\\fR]\n.SH DESCRIPTION\n"
                "A client of Sluice's HTTP API and nothing else: whatever it does, curl can do.\n"
                "Options may stand anywhere; \\fB\\-\\-\\fR ends them.\n"
                "What is meant for people is on standard error where standard output may be "
                "read by a program.\n.SH OPTIONS\nEvery command has these.\n");
    add_options(b, common_options);
    strbuf_adds(b, ".SH COMMANDS\n");
    for (const struct command *c = commands; c->words; c++)
        add_command(b, c);
    add_end(b);
    strbuf_adds(b, ".SH FILES\n.TP\n.I ~/.config/sluice/credentials.json\n"
                   "What \\fBsluice login\\fR stored, for its owner alone; below "
                   "\\fB$XDG_CONFIG_HOME\\fR where that is set.\n");
}

static void add_page_of(struct strbuf *b, const struct command *c) {
    _cleanup_free_ char *name = xasprintf("sluice-%s", c->words);

    for (char *at = name; *at; at++)
        *at = *at == ' ' ? '-' : *at;
    add_title(b, name);
    strbuf_adds(b, ".SH NAME\n");
    add_text(b, name);
    strbuf_adds(b, " \\- ");
    add_text(b, c->summary);
    strbuf_adds(b, "\n.SH SYNOPSIS\n");
    add_usage(b, c);
    if (c->details) {
        strbuf_adds(b, ".SH DESCRIPTION\n");
        add_sentence(b, c->summary);
        add_lines(b, c->details);
    }
    strbuf_adds(b, ".SH OPTIONS\n");
    add_options(b, c->options);
    add_options(b, common_options);
    add_end(b);
    strbuf_adds(b, ".SH SEE ALSO\n.BR sluice (1)\n");
}

ExitCode run_man(struct session *s, const struct args *a) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(PAGE_MOST);
    const struct command *c = NULL;
    int n = 0;

    if (a->n_operands)
        c = command_find((int)a->n_operands, a->operands, &n);
    if (a->n_operands && (!c || (size_t)n != a->n_operands))
        return usage_error("there is no such command; sluice --help lists them");
    if (c)
        add_page_of(&b, c);
    else
        add_page(&b);
    print_text(s, "man", b.data);
    return EXIT_DONE;
}
