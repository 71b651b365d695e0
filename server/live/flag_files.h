/* live/flag_files.h: the last known good flags, one file for each environment in a folder, for a
 * server that starts while the database is away. */
#pragma once
#include "flags/snapshot.h"

struct flag_files;
/* NULL folder: none are kept.  NULL with one line in reterr: it is no folder that one may write to.
 */
struct flag_files *flag_files_open(const char *folder, char *reterr, size_t n);
void flag_files_close(struct flag_files *f); /* NULL-safe */
/* All of these: NULL f does nothing. */
bool flag_files_write(const struct flag_files *f, const struct snapshot *s);
void flag_files_remove(const struct flag_files *f, const char *app, const char *environment);
/* Puts what the files say into the set, marked as from a file; what is no file of ours, or broken,
 * is left out and told in the log.  Returns when the newest was written, 0 without one. */
int64_t flag_files_read(const struct flag_files *f, struct snapshots *set);
/* Removes the files of environments that are not in the set. */
void flag_files_sweep(const struct flag_files *f, struct snapshots *set);
