#include "cli/credentials.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "credentials.json"

void credentials_done(struct credentials *c) {
    free(c->url);
    free(c->key);
    *c = (struct credentials){0};
}

bool key_valid(const char *key) {
    size_t n = strlen(key);

    for (const char *c = key; *c; c++) {
        if (*c <= ' ' || *c > '~')
            return false;
    }
    return n > 0 && n <= KEY_MOST;
}

/* The folder that ours is in; NULL without a home. */
static char *config_home(void) {
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (xdg && *xdg == '/') /* the specification: a relative one is ignored */
        return xstrdup(xdg);
    return home && *home ? xasprintf("%s/.config", home) : NULL;
}

static char *folder_path(void) {
    _cleanup_free_ char *home = config_home();

    return home ? xasprintf("%s/sluice", home) : NULL;
}

char *credentials_path(void) {
    _cleanup_free_ char *folder = folder_path();

    return folder ? xasprintf("%s/" FILE_NAME, folder) : NULL;
}

/* What makes a file one that others may have read, or written; NULL for nothing. */
static const char *distrust(const struct stat *st, mode_t others, const char *by_others) {
    if (st->st_uid != geteuid())
        return "belongs to somebody else";
    return st->st_mode & others ? by_others : NULL;
}

/* Opens the file, if it is one to trust.  -1 with reterr set, or left empty where there is none. */
static int open_trusted(const char *path, char *reterr) {
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    const char *why = NULL;
    struct stat st;

    *reterr = '\0';
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
        snprintf(reterr, CREDENTIALS_ERROR, "%s: %s", path,
                 errno == ELOOP ? "is a symbolic link: remove it, then sluice login"
                                : strerror(errno));
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        why = "is no regular file";
    else
        why = distrust(&st, S_IRWXG | S_IRWXO,
                       "may be read by others: have the key revoked (sluice keys revoke), then "
                       "sluice login");
    if (!why)
        return fd;
    snprintf(reterr, CREDENTIALS_ERROR, "%s %s", path, why);
    close(fd);
    return -1;
}

bool credentials_load(struct credentials *ret, char *reterr) {
    _cleanup_free_ char *path = credentials_path();
    _cleanup_(fd_close) int fd = path ? open_trusted(path, reterr) : -1;
    json_auto_t *json = NULL;

    *ret = (struct credentials){0};
    if (fd < 0)
        return !path || !*reterr;
    json = json_loadfd(fd, 0, NULL);
    if (!json_str(json, "url", NULL) || !json_str(json, "key", NULL) ||
        !key_valid(json_str(json, "key", ""))) {
        snprintf(reterr, CREDENTIALS_ERROR,
                 "%s does not hold what sluice login writes: sluice login writes it anew", path);
        return false;
    }
    *ret = (struct credentials){.url = xstrdup(json_str(json, "url", "")),
                                .key = xstrdup(json_str(json, "key", ""))};
    return true;
}

/* Makes the folders that are missing; -1 with reterr set where ours cannot be one to trust. */
static int open_folder(char *reterr) {
    _cleanup_free_ char *home = config_home(), *folder = folder_path();
    const char *why = NULL;
    struct stat st;
    int fd;

    if (!folder) {
        snprintf(reterr, CREDENTIALS_ERROR, "neither XDG_CONFIG_HOME nor HOME is set");
        return -1;
    }
    mkdir(home, S_IRWXU);
    mkdir(folder, S_IRWXU);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        why = strerror(errno);
    else
        why = distrust(&st, S_IWGRP | S_IWOTH, "may be written by others: chmod 700 it");
    if (!why)
        return fd;
    snprintf(reterr, CREDENTIALS_ERROR, "%s: %s", folder, why);
    if (fd >= 0)
        close(fd);
    return -1;
}

bool credentials_store(const char *url, const char *key, char *reterr) {
    _cleanup_(fd_close) int folder = open_folder(reterr);
    json_auto_t *json = json_pack("{ss ss}", "url", url, "key", key);
    _cleanup_free_ char *text = json ? json_text(json) : NULL;
    _cleanup_free_ char *path = credentials_path();

    if (folder < 0)
        return false;
    if (text && file_put(folder, FILE_NAME, text, S_IRUSR | S_IWUSR))
        return true;
    snprintf(reterr, CREDENTIALS_ERROR, "%s: %s", path,
             text ? strerror(errno) : "the URL is not UTF-8 text");
    return false;
}

bool credentials_forget(bool *ret_was_there, char *reterr) {
    _cleanup_free_ char *path = credentials_path();

    *ret_was_there = path && unlink(path) == 0;
    if (path && !*ret_was_there && errno != ENOENT && errno != ENOTDIR) {
        snprintf(reterr, CREDENTIALS_ERROR, "%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}
