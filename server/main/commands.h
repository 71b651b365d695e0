/* main/commands.h: what `sluiced` can be asked to do.  A command gets its own words (argv[0] is its
 * name) and answers the exit status: 0 done, 1 failed (one line on stderr says why), 2 not
 * understood. */
#pragma once
#include <stdbool.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef int command_fn(int argc, char **argv);
command_fn command_serve, command_migrate, command_check, command_token, command_keys,
    command_checkpoint_key, command_dump_settings, command_dump_routes, command_dump_steps,
    command_dump_states, command_dump_metrics;

/* Prints "sluiced: …" and a pointer to --help on stderr; EXIT_USAGE. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints "sluiced: …" on stderr; EXIT_FAILED. */
int failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct config;
/* Whether and how checkpoints are made, in one line; yours. */
char *checkpoints_line(const struct config *c);
/* For commands without words of their own: 0, or EXIT_USAGE when there are any. */
int no_words(int argc, char **argv);
