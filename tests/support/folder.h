/* tests/support/folder.h: a folder of one test under /tmp. */
#pragma once

struct folder {
    char path[64];
};

struct folder folder_make(void);
char *folder_file(const struct folder *f, const char *name); /* its path, yours */
void folder_put(const struct folder *f, const char *name, const char *text);
void folder_remove(const struct folder *f); /* with its files */
