#include "base/crash.h"
#ifdef SLUICE_TEST_POINTS
#include "base/status.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CRASH_POINT_NAME(symbol, name) [CRASH_##symbol] = (name),
static const char *const names[] = {CRASH_POINTS(CRASH_POINT_NAME)};

enum { LABEL = 200, LABELS = 2000 };

static _Thread_local const char *at_step, *at_purpose;

void crash_place(const char *step, const char *purpose) {
    at_step = step;
    at_purpose = purpose;
}

bool crash_placed(void) {
    return at_step;
}

/* Once for each label, process and file: a test removes the file to begin anew.  Appending keeps
 * lines of several processes whole. */
static void log_first(const char *label) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char *seen[LABELS];
    static size_t count;
    const char *path = getenv("SLUICE_CRASH_LOG");
    char line[LABEL + 1];
    int fd, n = snprintf(line, sizeof line, "%s\n", label);
    size_t i = 0;

    if (!path)
        return;
    pthread_mutex_lock(&lock);
    if (access(path, F_OK))
        while (count > 0)
            free(seen[--count]);
    while (i < count && strcmp(seen[i], label) != 0)
        i++;
    if (i == count && count < LABELS) {
        seen[count++] = xstrdup(label);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, line, (size_t)n) != n)
            die("%s: a crash point cannot be logged", path);
        close(fd);
    }
    pthread_mutex_unlock(&lock);
}

/* Whether `wanted` (n bytes) is the label, or the label without its purpose, or without its step;
 * or, with a star, what it begins with. */
static bool means(const char *label, const char *wanted, size_t n) {
    if (n > 0 && wanted[n - 1] == '*')
        return strncmp(label, wanted, n - 1) == 0;
    return n > 0 && strncmp(label, wanted, n) == 0 && strchr(":/", label[n]);
}

static const char *how_of(const char *wanted, int *ret_signal) {
    bool stop = strncmp(wanted, "stop:", 5) == 0;

    *ret_signal = stop ? SIGSTOP : SIGKILL;
    return wanted + (stop ? 5 : 0);
}

static void meet_file(const char *label, const char *path) {
    char text[LABEL] = "";
    const char *wanted;
    int signal_number, fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (read(fd, text, sizeof text - 1) < 0)
        *text = '\0';
    close(fd);
    wanted = how_of(text, &signal_number);
    if (means(label, wanted, strcspn(wanted, "\n")) && unlink(path) == 0)
        raise(signal_number);
}

static void meet(const char *label, const char *wanted) {
    static atomic_long passed;
    const char *colon;
    int signal_number;

    wanted = how_of(wanted, &signal_number);
    colon = strrchr(wanted, ':');
    if (colon && means(label, wanted, (size_t)(colon - wanted)) &&
        atomic_fetch_add(&passed, 1) + 1 == strtol(colon + 1, NULL, 10))
        raise(signal_number); /* to this thread: it goes no further */
}

void crash_point(CrashPoint p) {
    const char *wanted = getenv("SLUICE_CRASH_POINT");
    char label[LABEL];

    snprintf(label, sizeof label, "%s%s%s%s%s", names[p], at_step ? ":" : "",
             at_step ? at_step : "", at_purpose ? "/" : "", at_purpose ? at_purpose : "");
    log_first(label);
    if (wanted && *wanted == '@')
        meet_file(label, wanted + 1);
    else if (wanted)
        meet(label, wanted);
}
#else
typedef int crash_points_are_not_built_in;
#endif
