#include "cli/args.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WORD_MOST = 64,
    ROWS_MOST = 64,
    SECONDS_MOST = 366 * 86400,
    COUNT_MOST = 200,
    CHOICES_MOST = 8,
};

static unsigned smaller(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Levenshtein distance of two short words. */
static unsigned distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    unsigned row[WORD_MOST + 1];

    if (n > WORD_MOST || m > WORD_MOST)
        return WORD_MOST;
    for (size_t j = 0; j <= m; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned above = row[j];

            row[j] = smaller(smaller(row[j - 1], above) + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t n) {
    unsigned best = (unsigned)strlen(word) / 3 + 2;
    const char *found = NULL;

    for (size_t i = 0; i < n; i++) {
        unsigned d = distance(word, candidates[i]);

        if (d < best) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}

bool seconds_parse(const char *text, int64_t *ret) {
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    int64_t total = 0, number;
    const char *unit;

    if (!*text)
        return false;
    while (*text) {
        if (!isdigit((unsigned char)*text))
            return false;
        for (number = 0; isdigit((unsigned char)*text); text++) {
            number = number * 10 + (*text - '0');
            if (number > SECONDS_MOST)
                return false;
        }
        unit = *text ? strchr(units, *text) : units;
        if (!unit)
            return false;
        text += *text ? 1 : 0;
        total += number * seconds[unit - units];
        if (total > SECONDS_MOST)
            return false;
    }
    *ret = total;
    return true;
}

bool time_parse(const char *text, int64_t *ret_us) {
    struct tm tm = {.tm_isdst = -1};
    const char *end;
    time_t t;

    if (clock_parse(text, ret_us))
        return true;
    end = strptime(text, "%Y-%m-%d", &tm);
    end = end && *end && strchr("T ", *end) ? strptime(end + 1, "%H:%M", &tm) : NULL;
    if (!end || *end)
        return false;
    t = mktime(&tm);
    *ret_us = (int64_t)t * US_PER_S;
    return t != (time_t)-1;
}

static const struct option_row *row_find(const struct option_row *rows, const char *name,
                                         size_t n) {
    for (; rows && rows->name; rows++) {
        if (strlen(rows->name) == n && memcmp(rows->name, name, n) == 0)
            return rows;
    }
    return NULL;
}

const struct option_row *option_find(const struct command *c, const char *name, size_t n) {
    const struct option_row *row = row_find(c->options, name, n);

    return row ? row : row_find(common_options, name, n);
}

static void unknown_option(const struct command *c, const char *word, char *reterr, size_t n) {
    const struct option_row *tables[] = {c->options, common_options};
    const char *names[ROWS_MOST], *near;
    char name[WORD_MOST + 1];
    size_t count = 0;

    for (size_t t = 0; t < 2; t++) {
        for (const struct option_row *r = tables[t]; r && r->name && count < ROWS_MOST; r++)
            names[count++] = r->name;
    }
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    near = nearest_word(name, names, count);
    if (near)
        snprintf(reterr, n, "unknown option --%s; did you mean --%s?", name, near);
    else
        snprintf(reterr, n, "unknown option --%s", name);
}

bool number_parse(const char *text, int64_t least, int64_t most, int64_t *ret) {
    char *end;
    long number;

    errno = 0;
    number = strtol(text, &end, 10);
    *ret = number;
    return isdigit((unsigned char)*text) && !*end && !errno && number >= least && number <= most;
}

static bool count_parse(const char *text, int64_t *ret) {
    return number_parse(text, 1, COUNT_MOST, ret);
}

/* `words` are separated by bars. */
static bool check_choice(const struct option_row *row, const char *text, char *reterr, size_t n) {
    _cleanup_free_ char *words = xstrdup(row->value);
    const char *candidates[CHOICES_MOST], *near;
    size_t count = 0;
    char *rest, *word;

    for (word = strtok_r(words, "|", &rest); word && count < CHOICES_MOST;
         word = strtok_r(NULL, "|", &rest)) {
        if (strcmp(word, text) == 0)
            return true;
        candidates[count++] = word;
    }
    near = nearest_word(text, candidates, count);
    snprintf(reterr, n, "--%s is one of %s, not '%.60s'%s%s%s", row->name, row->value, text,
             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return false;
}

/* What the option wants, or NULL where it has it. */
static const char *value_wanted(const struct option_row *row, const char *text) {
    int64_t number;

    if (row->type == OPTION_COUNT && !count_parse(text, &number))
        return "a number from 1 to 200";
    if (row->type == OPTION_SECONDS && !seconds_parse(text, &number))
        return "a duration such as 90s, 15m or 1h30m";
    if (row->type == OPTION_TIME && !time_parse(text, &number))
        return "a time such as 2026-12-24T18:00:00Z, or local: '2026-12-24 18:00'";
    return NULL;
}

static bool check_value(const struct option_row *row, const char *text, char *reterr, size_t n) {
    const char *wanted = value_wanted(row, text);

    if (row->type == OPTION_CHOICE)
        return check_choice(row, text, reterr, n);
    if (wanted)
        snprintf(reterr, n, "--%s wants %s, not '%.60s'", row->name, wanted, text);
    return !wanted;
}

/* Reads the option at argv[*i] and steps over its value. */
static bool parse_option(struct args *a, int argc, char **argv, int *i, char *reterr, size_t n) {
    const char *word = strcmp(argv[*i], "-h") == 0 ? "help" : argv[*i] + 2;
    size_t length = strcspn(word, "=");
    const struct option_row *row = option_find(a->command, word, length);
    const char *text = word[length] ? word + length + 1 : NULL;

    if (!row) {
        unknown_option(a->command, word, reterr, n);
        return false;
    }
    if (row->type == OPTION_FLAG && text) {
        snprintf(reterr, n, "--%s takes no value", row->name);
        return false;
    }
    if (row->type != OPTION_FLAG && !text) {
        if (*i + 1 >= argc) {
            snprintf(reterr, n, "--%s wants a value: %s", row->name, row->value);
            return false;
        }
        text = argv[++*i];
    }
    if (row->type != OPTION_LIST && row->type != OPTION_FLAG && arg_text(a, row->name)) {
        snprintf(reterr, n, "--%s is given twice", row->name);
        return false;
    }
    if (!check_value(row, text, reterr, n))
        return false;
    a->values[a->n_values++] = (struct arg_value){row, text};
    return true;
}

/* How many operands the text of a command allows: "A B [C]" is 2 to 3, "A…" any number from 1. */
static void operand_range(const char *text, size_t *ret_least, size_t *ret_most) {
    *ret_least = *ret_most = 0;
    while (*(text += strspn(text, " "))) {
        ++*ret_most;
        *ret_least += *text != '[';
        if (memmem(text, strcspn(text, " "), "…", strlen("…")))
            *ret_most = SIZE_MAX - 1;
        text += strcspn(text, " ");
    }
}

bool operand_name(const char *operands, size_t i, char name[OPERAND_NAME], bool *ret_optional) {
    size_t n;

    for (;; i--) {
        operands += strspn(operands, " ");
        n = strcspn(operands, " ");
        if (n == 0)
            return false;
        if (i == 0 || memmem(operands, n, "…", strlen("…")))
            break;
        operands += n;
    }
    *ret_optional = *operands == '[';
    operands += *operands == '[';
    n = strcspn(operands, " ]\xe2"); /* or … */
    snprintf(name, OPERAND_NAME, "%.*s", (int)n, operands);
    return true;
}

static bool check_operands(const struct args *a, char *reterr, size_t n) {
    size_t fewest, most;

    operand_range(a->command->operands, &fewest, &most);
    if (a->n_operands > most) {
        snprintf(reterr, n, "unexpected '%.60s'", a->operands[most]);
        return false;
    }
    if (a->n_operands < fewest) {
        snprintf(reterr, n, "%s wants %s", a->command->words, a->command->operands);
        return false;
    }
    return true;
}

bool args_parse(const struct command *command, int argc, char **argv, struct args *ret,
                char *reterr, size_t n) {
    bool options = true;

    *ret = (struct args){.command = command};
    ret->operands = xcalloc((size_t)argc + 1, sizeof(*ret->operands));
    ret->values = xcalloc((size_t)argc + 1, sizeof(*ret->values));
    for (int i = 0; i < argc; i++) {
        bool option = options && argv[i][0] == '-' && argv[i][1];

        if (option && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (option && argv[i][1] != '-' && strcmp(argv[i], "-h") != 0) {
            snprintf(reterr, n, "unknown option %.40s: options are long, such as --json", argv[i]);
            return false;
        } else if (option) {
            if (!parse_option(ret, argc, argv, &i, reterr, n))
                return false;
        } else {
            ret->operands[ret->n_operands++] = argv[i];
        }
    }
    return arg_flag(ret, "help") || check_operands(ret, reterr, n);
}

void args_done(struct args *a) {
    free(a->operands);
    free(a->values);
    *a = (struct args){0};
}

const char *arg_operand(const struct args *a, size_t i) {
    return i < a->n_operands ? a->operands[i] : NULL;
}

const char *arg_list(const struct args *a, const char *name, size_t *at) {
    const struct option_row *row = option_find(a->command, name, strlen(name));

    if (!row)
        die("command %s has no option --%s", a->command->words, name);
    while (*at < a->n_values) {
        const struct arg_value *v = &a->values[(*at)++];

        if (v->row == row)
            return v->text ? v->text : "";
    }
    return NULL;
}

const char *arg_text(const struct args *a, const char *name) {
    return arg_list(a, name, &(size_t){0});
}

bool arg_flag(const struct args *a, const char *name) {
    return arg_text(a, name) != NULL;
}

int64_t arg_seconds(const struct args *a, const char *name, int64_t otherwise) {
    const char *text = arg_text(a, name);

    if (text && !seconds_parse(text, &otherwise))
        die("--%s was not checked", name);
    return otherwise;
}

int64_t arg_count(const struct args *a, const char *name, int64_t otherwise) {
    const char *text = arg_text(a, name);

    if (text && !count_parse(text, &otherwise))
        die("--%s was not checked", name);
    return otherwise;
}

int64_t arg_time(const struct args *a, const char *name, int64_t otherwise) {
    const char *text = arg_text(a, name);

    if (text && !time_parse(text, &otherwise))
        die("--%s was not checked", name);
    return otherwise;
}
