/* report/bundle.c: how large the files of a build are: {"files": [{"name", "bytes"}]}. */
#include "report/walk.h"
#include <string.h>

enum { FILES_MAX = 100000, NAME_MAX_BYTES = 1024 };
#define BYTES_MAX (INT64_C(1) << 50)

static void add_file(struct walk *w, struct report *ret, json_t *names) {
    static const char *const members[] = {"name", "bytes", NULL};
    json_auto_t *file = walk_some(w, members);
    const char *name = json_str(file, "name", "");
    int64_t bytes = json_int(file, "bytes", -1);

    if (!*name || strlen(name) > NAME_MAX_BYTES)
        walk_wrong(w, "/name", "A text of 1 to %d bytes.", NAME_MAX_BYTES);
    else if (bytes < 0 || bytes > BYTES_MAX)
        walk_wrong(w, "/bytes", "A count of bytes.");
    else if (json_object_get(names, name))
        walk_wrong(w, "/name", "Another file has this name.");
    else if (ret->bundle.files == FILES_MAX)
        walk_wrong(w, "", "More than %d files.", FILES_MAX);
    if (*w->fault->detail)
        return;
    json_object_set_new(names, name, json_true());
    ret->bundle.total_bytes += bytes;
    if (ret->bundle.files++ == 0 || bytes > ret->bundle.file_bytes) {
        ret->bundle.file_bytes = bytes;
        *ret->first = '\0';
        report_name(ret, name);
    }
}

static void read_files(struct walk *w, struct report *ret) {
    json_auto_t *names = json_object();
    size_t i = 0;

    if (!walk_open(w, '['))
        return;
    while (walk_item(w, &i)) {
        size_t up = walk_down(w, NULL, i - 1);

        add_file(w, ret, names);
        walk_up(w, up);
    }
}

Status bundle_read(const char *text, size_t n, struct report *ret, struct report_fault *reterr) {
    char key[WALK_KEY_MAX];
    bool there = false;
    struct walk w;
    size_t i = 0;

    if (walk_begin(&w, text, n, reterr) && walk_open(&w, '{'))
        while (walk_member(&w, &i, key)) {
            size_t up = walk_down(&w, key, 0);

            if (strcmp(key, "files") != 0)
                walk_wrong(&w, "", "There is no such field.");
            else if (there)
                walk_wrong(&w, "", "It is there twice.");
            else
                read_files(&w, ret);
            there = true;
            walk_up(&w, up);
        }
    if (walk_end(&w) && !there)
        walk_wrong(&w, "/files", "Required.");
    return *reterr->detail ? E_INVALID_BODY : STATUS_OK;
}
