/* cli/resources.h: what commands about things that have a path share; each prints. */
#pragma once
#include "cli/session.h"

/* The answer of a GET. */
ExitCode resource_show(struct session *s, const char *path);
/* "app inopnc deleted". */
ExitCode resource_delete(struct session *s, const char *path, const char *what, const char *name);

/* One column of a list: where it is in an item, and its title. */
struct column {
    const char *title, *pointer;
};
ExitCode resource_list(struct session *s, const char *path, const struct column *columns, size_t n);
#define LIST(s, path, ...)                                                                         \
    resource_list(s, path, (const struct column[]){__VA_ARGS__},                                   \
                  sizeof((const struct column[]){__VA_ARGS__}) / sizeof(struct column))

/* Sets body[key] to the option's value where it is given. */
struct args;
void set_option(json_t *body, const struct args *a, const char *option, const char *key);
