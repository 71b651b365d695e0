#include "tests/support/folder.h"
#include "base/cleanup.h"
#include "base/status.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder folder_make(void) {
    struct folder f = {.path = "/tmp/sluice-test.XXXXXX"};

    if (!mkdtemp(f.path))
        die("no folder %s", f.path);
    return f;
}

char *folder_file(const struct folder *f, const char *name) {
    return xasprintf("%s/%s", f->path, name);
}

/* At once, as Kubernetes replaces the files that it mounts. */
void folder_put(const struct folder *f, const char *name, const char *text) {
    _cleanup_free_ char *path = folder_file(f, name), *fresh = xasprintf("%s.new", path);
    FILE *out = fopen(fresh, "w");

    if (!out || fputs(text, out) < 0 || fclose(out) != 0 || rename(fresh, path) != 0)
        die("cannot write %s", path);
}

void folder_remove(const struct folder *f) {
    DIR *folder = opendir(f->path);
    struct dirent *entry;

    while (folder && (entry = readdir(folder))) {
        _cleanup_free_ char *path = folder_file(f, entry->d_name);

        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (folder)
        closedir(folder);
    rmdir(f->path);
}
