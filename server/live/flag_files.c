/* live/flag_files.c: APP.ENVIRONMENT.flags.json holds {app, environment, environment_id, revision,
 * saved_at, document}.  Names have no dots, so that no two environments share a file. */
#include "live/flag_files.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".flags.json"
enum { FILE_NAME = 160, BYTES_MAX = 64 << 20, REASON = 400 };

struct flag_files {
    char *folder;
    int fd;
};

struct flag_files *flag_files_open(const char *folder, char *reterr, size_t n) {
    struct flag_files *f;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || faccessat(fd, ".", W_OK, 0) != 0) {
        char why[128];

        snprintf(reterr, n, "%s: %s", folder, strerror_r(errno, why, sizeof why));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    f = xcalloc(1, sizeof *f);
    f->folder = xstrdup(folder);
    f->fd = fd;
    return f;
}

void flag_files_close(struct flag_files *f) {
    if (!f)
        return;
    close(f->fd);
    free(f->folder);
    free(f);
}

static void file_name(const char *app, const char *environment, char ret[FILE_NAME]) {
    snprintf(ret, FILE_NAME, "%s.%s" SUFFIX, app, environment);
}

/* ---- writing ---- */

bool flag_files_write(const struct flag_files *f, const struct snapshot *s) {
    _cleanup_free_ char *text = NULL;
    char name[FILE_NAME], now[TIME_TEXT];

    if (!f)
        return true;
    text = xasprintf("{\"app\":\"%s\",\"environment\":\"%s\",\"environment_id\":\"%s\","
                     "\"revision\":%lld,\"saved_at\":\"%s\",\"document\":%s}\n",
                     s->app, s->environment, s->environment_id, (long long)s->revision,
                     clock_format(clock_now_us(), now), s->document);
    file_name(s->app, s->environment, name);
    return file_put(f->fd, name, text, 0600);
}

void flag_files_remove(const struct flag_files *f, const char *app, const char *environment) {
    char name[FILE_NAME];

    if (!f)
        return;
    file_name(app, environment, name);
    (void)unlinkat(f->fd, name, 0);
}

/* ---- reading ---- */

/* "inopnc.production.flags.json" → "inopnc", "production"; false: no name of ours. */
static bool name_split(const char *name, char app[FILE_NAME], char environment[FILE_NAME]) {
    size_t n = strlen(name), suffix = strlen(SUFFIX), dot = strcspn(name, ".");

    if (n >= FILE_NAME || n <= suffix + dot || strcmp(name + n - suffix, SUFFIX) != 0)
        return false;
    snprintf(app, FILE_NAME, "%.*s", (int)dot, name);
    snprintf(environment, FILE_NAME, "%.*s", (int)(n - suffix - dot - 1), name + dot + 1);
    return name_valid(app) && name_valid(environment);
}

/* 0 with the reason: it is not taken. */
static int64_t read_one(const char *path, const char *app, const char *environment,
                        struct snapshots *set, char why[REASON]) {
    _cleanup_free_ char *text = file_text(path, BYTES_MAX, why, REASON), *document = NULL;
    json_auto_t *file = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const json_t *flags = json_object_get(file, "document");
    const char *id = json_str(file, "environment_id", "");
    int64_t saved_us = 0;

    if (!text)
        return 0;
    if (!json_is_object(flags) || !uuid_valid(id) || json_int(file, "revision", -1) < 0 ||
        strcmp(json_str(file, "app", ""), app) != 0 ||
        strcmp(json_str(file, "environment", ""), environment) != 0 ||
        !clock_parse(json_str(file, "saved_at", ""), &saved_us)) {
        snprintf(why, REASON, "%s: not the flags of %s/%s", path, app, environment);
        return 0;
    }
    document = json_text(flags);
    snapshots_put(set, snapshot_new(&(struct snapshot){.app = app,
                                                       .environment = environment,
                                                       .environment_id = id,
                                                       .document = document,
                                                       .revision = json_int(file, "revision", 0),
                                                       .read_us = saved_us,
                                                       .from_file = true,
                                                       .flags = flags_compile(flags)}));
    return saved_us;
}

/* Calls `each` for every file of ours. */
static void walk(const struct flag_files *f,
                 void (*each)(void *ctx, const char *name, const char *app,
                              const char *environment),
                 void *ctx) {
    DIR *open_dir = opendir(f->folder);
    const struct dirent *entry;

    /* a directory stream of one's own is safe */
    while (open_dir && (entry = readdir(open_dir))) { // NOLINT(concurrency-mt-unsafe)
        char app[FILE_NAME], environment[FILE_NAME];

        if (name_split(entry->d_name, app, environment))
            each(ctx, entry->d_name, app, environment);
    }
    if (open_dir)
        closedir(open_dir);
}

struct reading {
    const struct flag_files *files;
    struct snapshots *set;
    int64_t newest_us;
};

static void read_each(void *ctx, const char *name, const char *app, const char *environment) {
    struct reading *r = ctx;
    _cleanup_free_ char *path = xasprintf("%s/%s", r->files->folder, name);
    char why[REASON];
    int64_t saved_us = read_one(path, app, environment, r->set, why);

    if (!saved_us)
        log_event(LOG_WARNING, "flags-file-left-out", "detail", why, NULL);
    if (saved_us > r->newest_us)
        r->newest_us = saved_us;
}

int64_t flag_files_read(const struct flag_files *f, struct snapshots *set) {
    struct reading r = {.files = f, .set = set};

    if (f)
        walk(f, read_each, &r);
    return r.newest_us;
}

static void sweep_each(void *ctx, const char *name, const char *app, const char *environment) {
    struct reading *r = ctx;
    const struct snapshot *s = snapshot_take(r->set, app, environment);

    if (!s)
        (void)unlinkat(r->files->fd, name, 0);
    snapshot_release(s);
}

void flag_files_sweep(const struct flag_files *f, struct snapshots *set) {
    struct reading r = {.files = f, .set = set};

    if (f)
        walk(f, sweep_each, &r);
}
