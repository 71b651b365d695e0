/* cli/args.h: the words of a command line, read by a command's table of options. */
#pragma once
#include "base/status.h"
#include "cli/exit.h"
#include <stdbool.h>
#include <stddef.h>

enum { OPERAND_NAME = 32 };

typedef enum OptionType {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_LIST,    /* may be given several times */
    OPTION_SECONDS, /* 90, 90s, 15m, 1h30m */
    OPTION_CHOICE,  /* one of the words in `value`: "failed|succeeded" */
    OPTION_COUNT,   /* 1 to 200 */
    OPTION_TIME,    /* 2026-12-24T18:00:00Z, or local: "2026-12-24 18:00" */
} OptionType;

struct option_row {
    const char *name; /* without the dashes; NULL ends a table */
    OptionType type;
    const char *value; /* what --help calls its value; NULL for a flag */
    const char *help;
};

struct session;
struct args;
struct command {
    const char *words;                /* "app create"; NULL ends the table */
    const char *operands;             /* "APP ENV", "[APP [ENV]]", "" */
    const char *summary;              /* one line */
    const struct option_row *options; /* NULL for none; the common ones come with every command */
    const char *details;              /* more for --help, or NULL */
    ExitCode (*run)(struct session *s, const struct args *a);
};
extern const struct option_row common_options[];

struct args {
    const struct command *command;
    const char **operands; /* borrowed from argv; NULL-terminated */
    size_t n_operands;
    struct arg_value {
        const struct option_row *row;
        const char *text;
    } * values;
    size_t n_values;
};

/* Reads argv (the words after the command's own).  false with one line in reterr (room for 256). */
bool args_parse(const struct command *command, int argc, char **argv, struct args *ret,
                char *reterr, size_t n);
void args_done(struct args *a);

/* The nth operand, or NULL when it was not given. */
const char *arg_operand(const struct args *a, size_t i);
/* Values by option name; a name that the command does not have ends the program (a bug). */
bool arg_flag(const struct args *a, const char *name);
const char *arg_text(const struct args *a, const char *name); /* NULL when absent */
/* The next value of a repeatable option: start with *at = 0; NULL after the last. */
const char *arg_list(const struct args *a, const char *name, size_t *at);
int64_t arg_seconds(const struct args *a, const char *name, int64_t otherwise);
int64_t arg_count(const struct args *a, const char *name, int64_t otherwise);
int64_t arg_time(const struct args *a, const char *name, int64_t otherwise); /* µs since 1970 */

/* The option of that name, its own or a common one; NULL for none. */
const struct option_row *option_find(const struct command *c, const char *name, size_t n);
/* The nth operand in a command's text, without brackets, in `name`; false when there is none. */
bool operand_name(const char *operands, size_t i, char name[OPERAND_NAME], bool *ret_optional);

/* Reads a whole number of that range. */
bool number_parse(const char *text, int64_t least, int64_t most, int64_t *ret);
/* Reads a duration in seconds; false when it is none or longer than a year. */
bool seconds_parse(const char *text, int64_t *ret);
/* Reads RFC 3339, or a local date with hours and minutes. */
bool time_parse(const char *text, int64_t *ret_us);
/* The candidate nearest to a mistyped word, or NULL when none is near. */
const char *nearest_word(const char *word, const char *const *candidates, size_t n);
