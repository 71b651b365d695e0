/* cli/complete.c: what may stand where somebody is typing, for the completion of shells: words of
 * the table of commands, and names that the server knows.  The shells' own part (run_completion) is
 * the same for every command, and asks here. */
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "cli/commands.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

enum { ANSWER_MS = 2000, WORDS_MOST = 256 };

struct line {
    const struct command *command;
    const char *operands[WORDS_MOST]; /* those before the word being typed */
    size_t n;
    const char *url; /* of --url, or NULL */
};

/* `prefix` is what stands before the word within the same word of the shell. */
static void offer(const char *typed, const char *prefix, const char *word, const char *means) {
    if (strncmp(word, typed, strlen(typed)) != 0)
        return;
    fputs(prefix, stdout);
    text_print_clean(stdout, word);
    putchar('\t');
    text_print_clean(stdout, means ? means : "");
    putchar('\n');
}

/* The names that operands and values of options stand for: which list has them, and where in an
 * item. */
static const struct named {
    const char *operand, *path; /* its %s are the operands before */
    size_t wants;               /* how many of them */
    const char *word, *means[3];
} names[] = {
    {"APP", "/apps?limit=200", 0, "name", {"description"}},
    {"ENV", "/apps/%s/environments?limit=200", 1, "name", {"strategy"}},
    {"VERSION", "/apps/%s/releases?limit=100", 1, "version", {"notes"}},
    {"DEPLOYMENT", "/deployments?limit=50", 0, "id", {"environment", "version", "state"}},
    {"CLUSTER", "/clusters?limit=200", 0, "name", {NULL}},
    {"TEMPLATE", "/checklist-templates?limit=200", 0, "name", {"title"}},
    {"FLAG", "/apps/%s/flags?limit=200", 1, "name", {"description"}},
    {"SEGMENT", "/apps/%s/segments?limit=200", 1, "name", {"description"}},
    {"FREEZE", "/freezes?active=true&limit=200", 0, "id", {"app", "environment", "reason"}},
    {"REQUEST", "/apps/%s/environments/%s/flag-requests?limit=100", 2, "id", {"state", "reason"}},
    {"KEYID", "/keys?limit=200", 0, "id", {"name"}},
    {"CHAIN", "/audit/chains?limit=200", 0, "chain", {NULL}},
};

static void offer_items(const struct named *row, const json_t *items, const char *typed,
                        const char *prefix) {
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        _cleanup_(strbuf_done) struct strbuf means = STRBUF(4096);

        for (size_t k = 0; k < sizeof(row->means) / sizeof(row->means[0]) && row->means[k]; k++) {
            const char *text = json_str(item, row->means[k], NULL);

            if (text && *text)
                strbuf_addf(&means, "%s%s", means.len ? ", " : "", text);
        }
        offer(typed, prefix, json_str(item, row->word, ""), means.data);
    }
}

/* Without a server, or where it refuses, there is nothing to offer. */
static void offer_of_server(const struct named *row, const struct line *line, const char *typed,
                            const char *prefix) {
    _cleanup_(session_done) struct session session = {0};
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_free_ char *path = NULL;

    if (line->n < row->wants || session_open(&session, line->url) != EXIT_DONE)
        return;
    path = api_path(row->path, line->operands[0], line->operands[1]);
    if (api_try(&session, &(struct api_call){.path = path, .once = true, .timeout_ms = ANSWER_MS},
                &answer) == EXIT_DONE)
        offer_items(row, json_object_get(answer.json, "items"), typed, prefix);
}

/* Words that are separated by bars: values of a choice, or names of operands. */
static bool next_choice(const char **text, char word[OPERAND_NAME]) {
    size_t n = strcspn(*text, "|");

    snprintf(word, OPERAND_NAME, "%.*s", (int)n, *text);
    *text += n + ((*text)[n] == '|');
    return n > 0;
}

/* What an operand means where several commands call different things by one name. */
static const char *meaning(const struct command *c, const char *name) {
    static const struct {
        const char *group, *name, *means;
    } rows[] = {
        {"app ", "NAME", "APP"},
        {"cluster ", "NAME", "CLUSTER"},
        {"template ", "NAME", "TEMPLATE"},
        {"keys ", "KEY", "KEYID"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(name, rows[i].name) == 0 &&
            strncmp(c->words, rows[i].group, strlen(rows[i].group)) == 0)
            return rows[i].means;
    }
    return name;
}

/* What a value or an operand of that name may be: "APP|DEPLOYMENT". */
static void offer_named(const struct line *line, const char *name, const char *typed,
                        const char *prefix) {
    static const char *const shells[] = {"bash", "zsh", "fish"}, *const colors[] = {"blue",
                                                                                    "green"};
    char one[OPERAND_NAME];

    while (next_choice(&name, one)) {
        const char *means = meaning(line->command, one);

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (strcmp(names[i].operand, means) == 0)
                offer_of_server(&names[i], line, typed, prefix);
        }
        for (size_t i = 0; i < 2 && strcmp(means, "COLOR") == 0; i++)
            offer(typed, prefix, colors[i], NULL);
        for (size_t i = 0; i < 3 && strcmp(means, "SHELL") == 0; i++)
            offer(typed, prefix, shells[i], NULL);
        if (strcmp(means, "FILE") == 0 || strcmp(means, "DIR") == 0)
            puts(":files");
    }
}

static void offer_value(const struct line *line, const struct option_row *row, const char *typed,
                        const char *prefix) {
    const char *values = row->value;
    char one[OPERAND_NAME];

    if (row->type != OPTION_CHOICE) {
        offer_named(line, values, typed, prefix);
        return;
    }
    while (next_choice(&values, one))
        offer(typed, prefix, one, NULL);
}

static void offer_options(const struct option_row *rows, const char *typed) {
    for (; rows && rows->name; rows++)
        offer(typed + 2, "--", rows->name, rows->help);
}

/* The operand at this place, and, while it may be left out, those that may stand there too. */
static void offer_operands(const struct line *line, const char *typed) {
    char name[OPERAND_NAME], last[OPERAND_NAME] = "";
    bool optional = true;

    for (size_t i = line->n; optional; i++) {
        if (!operand_name(line->command->operands, i, name, &optional) || strcmp(name, last) == 0)
            return;
        offer_named(line, name, typed, "");
        snprintf(last, sizeof(last), "%s", name);
    }
}

/* After the command's own words: the last of argv is being typed. */
static void complete_words(struct line *line, int argc, char **argv) {
    const char *typed = argv[argc - 1], *equals = strchr(typed, '=');
    const struct option_row *wants = NULL; /* a value, of the word before */

    for (int i = 0; i + 1 < argc && line->n + 2 < WORDS_MOST; i++) {
        size_t n = strncmp(argv[i], "--", 2) == 0 ? strcspn(argv[i], "=") : 0;
        const struct option_row *row = n ? option_find(line->command, argv[i] + 2, n - 2) : NULL;

        if (wants && strcmp(wants->name, "url") == 0)
            line->url = argv[i];
        if (!wants && !n)
            line->operands[line->n++] = argv[i];
        wants = row && row->type != OPTION_FLAG && !argv[i][n] ? row : NULL;
    }
    if (wants) {
        offer_value(line, wants, typed, "");
    } else if (strncmp(typed, "--", 2) == 0 && equals) {
        _cleanup_free_ char *prefix = xasprintf("%.*s", (int)(equals + 1 - typed), typed);

        wants = option_find(line->command, typed + 2, (size_t)(equals - typed) - 2);
        if (wants && wants->value)
            offer_value(line, wants, equals + 1, prefix);
    } else if (*typed == '-') {
        offer_options(line->command->options, typed[1] ? typed : "--");
        offer_options(common_options, typed[1] ? typed : "--");
    } else {
        offer_operands(line, typed);
    }
}

/* The first word of a command, once for a group. */
static void offer_commands(const char *typed) {
    const char *before = "";

    for (const struct command *c = commands; c->words; c++) {
        size_t n = strcspn(c->words, " ");
        _cleanup_free_ char *word = xasprintf("%.*s", (int)n, c->words);

        if (strncmp(before, word, n) != 0 || (before[n] != ' ' && before[n]))
            offer(typed, "", word, c->words[n] ? "…" : c->summary);
        before = c->words;
    }
    offer(typed, "", "help", "what a command does");
    if (*typed == '-')
        offer_options(common_options, typed[1] ? typed : "--");
}

static void offer_second_words(const char *group, const char *typed) {
    size_t n = strlen(group);

    for (const struct command *c = commands; c->words; c++) {
        if (strncmp(c->words, group, n) == 0 && c->words[n] == ' ')
            offer(typed, "", c->words + n + 1, c->summary);
    }
}

ExitCode complete(int argc, char **argv) {
    struct line line = {0};
    int words = 0;

    words = leading_options(argc - 1, argv);
    for (int i = 0; i + 1 < words; i++)
        line.url = strcmp(argv[i], "--url") == 0 ? argv[i + 1] : line.url;
    argc -= words;
    argv += words;
    if (argc > 1 && (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "man") == 0)) {
        argc--;
        argv++;
        if (argc > 2)
            return EXIT_DONE;
    } else if (argc > 1) {
        line.command = command_find(argc - 1, (const char *const *)argv, &words);
    }
    if (line.command)
        complete_words(&line, argc - words, argv + words);
    else if (argc == 1)
        offer_commands(argv[0]);
    else if (argc == 2 && is_group(argv[0]))
        offer_second_words(argv[0], argv[1]);
    return EXIT_DONE;
}

static const struct {
    const char *shell, *script;
} scripts[] = {
    /* What readline takes for the word ($2) begins after a "=". */
    {"bash", "# bash completion of sluice; made by: sluice completion bash\n"
             "_sluice() {\n"
             "    local word line words=()\n"
             "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
             "        [ \"$word\" = \"=\" ] || words+=(\"$word\")\n"
             "    done\n"
             "    COMPREPLY=()\n"
             "    while IFS= read -r line; do\n"
             "        if [ \"$line\" = :files ]; then\n"
             "            compopt -o default\n"
             "        else\n"
             "            printf -v word %q \"${line%%$'\\t'*}\"\n"
             "            COMPREPLY+=(\"$word\")\n"
             "        fi\n"
             "    done < <(\"${1/#\\~\\//$HOME/}\" __complete \"${words[@]}\" \"$2\" 2>/dev/null)\n"
             "}\n"
             "complete -F _sluice sluice\n"},
    {"zsh", "#compdef sluice\n"
            "# zsh completion of sluice; made by: sluice completion zsh\n"
            "_sluice() {\n"
            "    local line\n"
            "    local -a lines described\n"
            "    lines=(\"${(@f)$(${(Q)words[1]} __complete \"${(@Q)words[2,CURRENT-1]}\" "
            "\"$PREFIX\" 2>/dev/null)}\")\n"
            "    if [[ $lines[1] == :files ]]; then\n"
            "        _files\n"
            "        return\n"
            "    fi\n"
            "    for line in $lines; do\n"
            "        described+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
            "    done\n"
            "    _describe -t sluice sluice described\n"
            "}\n"
            "if [[ $funcstack[1] == _sluice ]]; then\n"
            "    _sluice \"$@\"\n"
            "else\n"
            "    compdef _sluice sluice\n"
            "fi\n"},
    {"fish", "# fish completion of sluice; made by: sluice completion fish\n"
             "function __sluice_complete\n"
             "    set -l words (commandline -opc)\n"
             "    set -l lines ($words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null)\n"
             "    if test \"$lines[1]\" = :files\n"
             "        __fish_complete_path (commandline -ct)\n"
             "    else\n"
             "        printf '%s\\n' $lines\n"
             "    end\n"
             "end\n"
             "complete -c sluice -f -a '(__sluice_complete)'\n"},
};

ExitCode run_completion(struct session *s, const struct args *a) {
    const char *shell = arg_operand(a, 0);

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        if (strcmp(scripts[i].shell, shell) == 0) {
            print_text(s, "completion", scripts[i].script);
            return EXIT_DONE;
        }
    }
    return usage_error("no completion for '%s': bash, zsh or fish", shell);
}
