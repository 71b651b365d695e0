/* cli/resources.h: what commands about things that have a path share; each prints. */
#pragma once
#include "cli/args.h"
#include "cli/session.h"
#include "cli/text.h"

/* Puts a resource and says what became of it: "app inopnc created". */
ExitCode resource_put(struct session *s, const struct args *a, struct api_call call,
                      const char *what, const char *name);
/* The same with the JSON of --file. */
ExitCode resource_put_file(struct session *s, const struct args *a, const char *path,
                           const char *what, const char *name);
/* The text of the file that an option names, yours, and in *ret the JSON that it is, read with
 * jansson's `flags`; NULL after a line on stderr. */
char *read_json_option(const struct args *a, const char *option, size_t flags, json_t **ret);
/* An answer as one JSON document; text of another kind under `key`. */
void print_document(const struct api_answer *a, const char *key);
/* The answer of a GET. */
ExitCode resource_show(struct session *s, const char *path);
/* What DELETE does, by its name: "schedule 019… canceled". */
ExitCode resource_end(struct session *s, const char *path, const char *what, const char *name,
                      const char *done);
/* "app inopnc deleted". */
ExitCode resource_delete(struct session *s, const char *path, const char *what, const char *name);

/* As wide as the terminal is, or with --output wide as the table is. */
void show_table(const struct session *s, const struct table *t);

/* One column of a list: where it is in an item, and its title. */
struct column {
    const char *title, *pointer;
};
void print_list(const struct session *s, const json_t *items, const struct column *columns,
                size_t n);
ExitCode resource_list(struct session *s, const char *path, const struct column *columns, size_t n);
/* The first --limit items of a list, 20 without. */
ExitCode resource_newest(struct session *s, const struct args *a, const char *path,
                         const struct column *columns, size_t n);
#define COLUMNS(...)                                                                               \
    (const struct column[]){__VA_ARGS__},                                                          \
        sizeof((const struct column[]){__VA_ARGS__}) / sizeof(struct column)
#define LIST(s, path, ...) resource_list(s, path, COLUMNS(__VA_ARGS__))

/* Sets body[key] to the option's value where it is given. */
void set_option(json_t *body, const struct args *a, const char *option, const char *key);
