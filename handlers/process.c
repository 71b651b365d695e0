/* handlers/process.c: see process.h. */
#include "handlers/process.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Entries of a folder of /proc, without "." and "..". */
static double entries(const char *path) {
    DIR *dir = opendir(path);
    double n = 0;

    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

/* /proc/self/statm: virtual and resident pages, and more. */
static void read_memory(struct process_numbers *ret) {
    FILE *f = fopen("/proc/self/statm", "re");
    double page = (double)sysconf(_SC_PAGESIZE);
    char line[160] = "", *end;

    if (!f)
        return;
    if (fgets(line, sizeof line, f)) {
        ret->virtual = strtod(line, &end) * page;
        ret->resident = strtod(end, NULL) * page;
    }
    fclose(f);
}

struct process_numbers process_numbers(void) {
    struct process_numbers now = {.threads = entries("/proc/self/task")};
    struct rusage usage;
    struct rlimit files;

    read_memory(&now);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        now.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        now.fds_max = (double)files.rlim_cur;
    now.fds = entries("/proc/self/fd") - 1; /* one is the folder's */
    return now;
}
