/* cli/help.c: what --help prints, all of it from the table. */
#include "cli/commands.h"
#include <stdio.h>
#include <string.h>

static void print_row(const struct command *c) {
    char left[80];

    snprintf(left, sizeof(left), "%s %s", c->words, c->operands);
    printf("  %-32s  %s\n", left, c->summary);
}

void help_group(const char *word) {
    size_t n = strlen(word);

    printf("Usage: sluice %s COMMAND …\n\n", word);
    for (const struct command *c = commands; c->words; c++) {
        if (strncmp(c->words, word, n) == 0 && c->words[n] == ' ')
            print_row(c);
    }
    printf("\nsluice %s COMMAND --help says more about one of them.\n", word);
}

const struct help_row environment_rows[] = {
    {"SLUICE_URL", "the server; otherwise what login stored, otherwise " DEFAULT_URL},
    {"SLUICE_TOKEN", "a bearer token or an API key; goes before what login stored"},
    {"SLUICE_TOKEN_FILE", "a file that holds it"},
    {"SLUICE_CA_FILE", "PEM certificates to trust instead of the system's"},
    {"NO_COLOR", "no colors"},
    {0},
};

const struct help_row exit_rows[] = {
    {"0", "done, or the deployment succeeded"},
    {"1", "the deployment failed and was undone, or is stuck; the audit chain is broken"},
    {"2", "the command line, or a file that it names, is wrong"},
    {"3", "the server refused"},
    {"4", "the server cannot be reached or failed"},
    {"5", "the time to wait was over; the work goes on"},
    {"130", "interrupted while waiting; the work goes on"},
    {0},
};

static void print_rows(const char *title, const struct help_row *rows, int width) {
    printf("\n%s:\n", title);
    for (; rows->name; rows++)
        printf("  %-*s  %s\n", width, rows->name, rows->text);
}

void help_all(void) {
    puts("Usage: sluice COMMAND …\n\nThe command line of Sluice, the release control plane.\n");
    for (const struct command *c = commands; c->words; c++)
        print_row(c);
    puts("\nsluice COMMAND --help says more about one of them, sluice man prints all of it.");
    print_rows("Environment", environment_rows, 17);
    print_rows("Exit status", exit_rows, 3);
}

static json_t *options_json(const struct option_row *rows) {
    json_t *all = json_array();

    for (; rows && rows->name; rows++)
        json_array_append_new(all, json_pack("{ss ss? ss}", "name", rows->name, "value",
                                             rows->value, "help", rows->help));
    return all;
}

void help_json(void) {
    json_auto_t *all = json_array();

    for (const struct command *c = commands; c->words; c++)
        json_array_append_new(all, json_pack("{ss ss ss ss? so}", "command", c->words, "operands",
                                             c->operands, "summary", c->summary, "details",
                                             c->details, "options", options_json(c->options)));
    print_json(all);
}

static void print_options(const struct option_row *rows) {
    char left[64];

    for (; rows && rows->name; rows++) {
        snprintf(left, sizeof(left), "--%s%s%s", rows->name, rows->value ? " " : "",
                 rows->value ? rows->value : "");
        printf("  %-24s  %s\n", left, rows->help);
    }
}

void help_command(const struct command *c) {
    printf("Usage: sluice %s%s%s [options]\n\nsluice %s: %s.\n", c->words, *c->operands ? " " : "",
           c->operands, c->words, c->summary);
    if (c->details)
        printf("%s\n", c->details);
    puts("\nOptions:");
    print_options(c->options);
    print_options(common_options);
}
