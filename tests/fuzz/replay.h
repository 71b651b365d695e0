/* tests/fuzz/replay.h: the main() of a target that is built without libFuzzer: each file of its
 * corpus once. */
#pragma once
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"
#include <dirent.h>
#include <stdio.h>

static inline void replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t n = 0, got;

    if (!file)
        die("cannot read %s", path);
    do {
        bytes = xrealloc(bytes, n + 65536);
        got = fread(bytes + n, 1, 65536, file);
        n += got;
    } while (got);
    fclose(file);
    bytes = xrealloc(bytes, n ? n : 1);
    LLVMFuzzerTestOneInput(bytes, n);
    free(bytes);
}

int main(void) {
    DIR *folder = opendir(FUZZ_CORPUS);
    struct dirent *entry;
    int inputs = 0;

    if (!folder)
        die("no corpus " FUZZ_CORPUS);
    puts("1..1");
    while ((entry = readdir(folder))) {
        _cleanup_free_ char *path = xasprintf("%s/%s", FUZZ_CORPUS, entry->d_name);

        if (entry->d_name[0] == '.')
            continue;
        replay_file(path);
        inputs++;
    }
    closedir(folder);
    printf("%sok 1 - fuzz__" FUZZ_TARGET "_corpus: %d inputs\n", inputs ? "" : "not ", inputs);
    return inputs ? 0 : 1;
}
