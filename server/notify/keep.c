/* notify/keep.c: keeps a directory of all checkpoints, one file each.
 *
 * What is missing is found out from the table, whoever made it: a server that was away, or whose
 * directory was, catches up.  Files are never replaced: another checkpoint has another name, also
 * one that was made again after the database was set back. */
#include "base/cleanup.h"
#include "base/file.h"
#include "db/checkpoint.h"
#include "notify/task.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".checkpoint"
enum { BATCH = 20, STEM = 27, NUMBER = 10 };

static TaskResult failed(char reterr[TASK_ERROR], const char *what, const char *name) {
    snprintf(reterr, TASK_ERROR, "%s %s: %s", name, what, strerror(errno));
    return TASK_FAILED;
}

/* The name of a checkpoint's file: ten digits, a dash, 16 hex digits and the suffix. */
static bool is_ours(const char *name) {
    return strspn(name, "0123456789") >= NUMBER && strlen(name) == STEM + strlen(SUFFIX) &&
           strcmp(name + STEM, SUFFIX) == 0;
}

/* The last file's name, "" in an empty directory. */
static bool last_file(const char *dir, char ret[CHECKPOINT_NAME]) {
    DIR *open_dir = opendir(dir);
    const struct dirent *entry;

    ret[0] = '\0';
    if (!open_dir)
        return false;
    /* a directory stream of one's own is safe */
    while ((entry = readdir(open_dir))) { // NOLINT(concurrency-mt-unsafe)
        if (is_ours(entry->d_name) && strncmp(entry->d_name, ret, STEM) > 0)
            snprintf(ret, CHECKPOINT_NAME, "%.*s", STEM, entry->d_name);
    }
    closedir(open_dir);
    return true;
}

static bool write_file(int dir, const char *stem, const char *note) {
    _cleanup_free_ char *name = xasprintf("%s" SUFFIX, stem);

    return faccessat(dir, name, F_OK, 0) == 0 || file_put(dir, name, note, 0644);
}

TaskResult checkpoint_keep(struct work *w, int64_t *ret_number, char reterr[TASK_ERROR]) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_(fd_close) int dir = open(w->in.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char name[CHECKPOINT_NAME];
    int64_t kept;

    if (dir < 0 || (!w->kept[0] && !last_file(w->in.dir, w->kept)))
        return failed(reterr, "cannot be opened", w->in.dir);
    kept = strtoll(w->kept, NULL, 10);
    /* the last one again: the table may have been set back meanwhile */
    if (db_checkpoint_after(w->in.pool, kept ? kept - 1 : 0, BATCH, &rows) != STATUS_OK) {
        snprintf(reterr, TASK_ERROR, "%s", db_fault_text());
        return TASK_FAILED;
    }
    if (kept) {
        struct checkpoint_row row =
            db_rows_count(rows) ? checkpoint_row(rows, 0) : (struct checkpoint_row){.hash = ""};

        if (strcmp(checkpoint_name(row.number, row.hash, name), w->kept) != 0) {
            snprintf(w->kept, sizeof w->kept, "%010d", 0); /* from the first */
            return TASK_MORE;
        }
    }
    for (size_t i = kept ? 1 : 0; i < db_rows_count(rows); i++) {
        struct checkpoint_row row = checkpoint_row(rows, i);

        checkpoint_name(row.number, row.hash, name);
        if (!write_file(dir, name, row.note))
            return failed(reterr, "is not written", name);
        memcpy(w->kept, name, sizeof name);
        *ret_number = row.number;
    }
    return db_rows_count(rows) == BATCH ? TASK_MORE : TASK_IDLE;
}
