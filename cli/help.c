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

void help_all(void) {
    puts("Usage: sluice COMMAND …\n\nThe command line of Sluice, the release control plane.\n");
    for (const struct command *c = commands; c->words; c++)
        print_row(c);
    puts("\nsluice COMMAND --help says more about one of them.\n\n"
         "Environment:\n"
         "  SLUICE_URL         the server; otherwise what login stored, or " DEFAULT_URL "\n"
         "  SLUICE_TOKEN       a bearer token or an API key (or SLUICE_TOKEN_FILE); goes before "
         "what\n"
         "                     login stored\n"
         "  SLUICE_CA_FILE     PEM certificates to trust instead of the system's\n"
         "  NO_COLOR           no colors\n\n"
         "Exit status:\n"
         "  0  done, or the deployment succeeded\n"
         "  1  the deployment failed and was undone, or is stuck; the audit chain is broken\n"
         "  2  the command line is wrong\n"
         "  3  the server refused\n"
         "  4  the server cannot be reached or failed\n"
         "  5  the time to wait was over");
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
