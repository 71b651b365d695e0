/* kube/exec_run.c: a plugin's run: no shell, no terminal, nothing of ours but what exec_config.c
 * chose, an end in time. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "kube/exec.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COMPLAINT_BYTES = 4096, COMPLAINT_SHOWN = 240, LOOK_MS = 20, TOKEN_LIKE = 40 };

struct run {
    pid_t pid;
    int out, complaint;             /* ours to read; -1 once they have ended */
    struct strbuf text, complaints; /* what came through them */
    int status;
};

/* Where a bare name lies; NULL when there is no such program. */
static char *in_path(const char *command, char *const *env) {
    const char *path = "/usr/local/bin:/usr/bin:/bin";
    struct stat st;

    if (strchr(command, '/'))
        return access(command, X_OK) == 0 ? xstrdup(command) : NULL;
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            path = *env + 5;
    while (*path) {
        size_t n = strcspn(path, ":");
        _cleanup_free_ char *file = xasprintf("%.*s/%s", (int)n, path, command);

        if (n && access(file, X_OK) == 0 && stat(file, &st) == 0 && S_ISREG(st.st_mode))
            return TAKE_PTR(file);
        path += n + (path[n] == ':');
    }
    return NULL;
}

static int spawn(const struct kube_exec *e, const char *path, int out, int complaint, pid_t *ret) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    int error;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, complaint, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_init(&how);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                       POSIX_SPAWN_SETSIGDEF);
    error = posix_spawn(ret, path, &files, &how, e->argv, e->env);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static bool pipe_new(int ret[2]) {
    if (pipe2(ret, O_CLOEXEC) != 0)
        return false;
    fcntl(ret[0], F_SETFL, O_NONBLOCK);
    return true;
}

static void close_if_open(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* 0, or why it did not begin: then nothing is left open. */
static int run_begin(struct run *r, const struct kube_exec *e, const char *path) {
    int out[2] = {-1, -1}, complaint[2] = {-1, -1};
    int error = !pipe_new(out) || !pipe_new(complaint)
                    ? errno
                    : spawn(e, path, out[1], complaint[1], &r->pid);

    close_if_open(&out[1]);
    close_if_open(&complaint[1]);
    if (error) {
        close_if_open(&out[0]);
        close_if_open(&complaint[0]);
    }
    r->out = out[0];
    r->complaint = complaint[0];
    return error;
}
/* Takes what there is. */
static void drain(int *fd, struct strbuf *into) {
    char bytes[4096];
    ssize_t n;
    while (*fd >= 0 && !into->overflowed) {
        n = read(*fd, bytes, sizeof(bytes));
        if (n > 0)
            strbuf_add(into, bytes, (size_t)n);
        else if (n == 0)
            close_if_open(fd);
        else if (errno != EINTR)
            break;
    }
    explicit_bzero(bytes, sizeof(bytes));
}

static bool ended(const struct run *r) {
    siginfo_t which = {0};

    return waitid(P_PID, (id_t)r->pid, &which, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           which.si_pid != 0;
}

/* Until it has ended by itself (NULL), or why it must be ended. */
static const char *run_watch(struct run *r, int timeout_ms, const atomic_bool *canceled) {
    int64_t deadline = clock_monotonic_us() + timeout_ms * US_PER_MS;
    bool over;

    do {
        struct pollfd fds[] = {{.fd = r->out, .events = POLLIN},
                               {.fd = r->complaint, .events = POLLIN}};

        if (atomic_load(canceled))
            return "was canceled";
        if (clock_monotonic_us() >= deadline)
            return "did not answer in time";
        poll(fds, 2, LOOK_MS);
        over = ended(r); /* before the last look at what it wrote */
        drain(&r->out, &r->text);
        drain(&r->complaint, &r->complaints);
        if (r->complaints.overflowed) /* enough: the rest is read and forgotten */
            strbuf_clear(&r->complaints);
        if (r->text.overflowed)
            return "printed too much";
    } while (!over);
    return NULL;
}

/* Ends the group, and waits until it is gone; as the container's first process we are heir to the
 * plugin's children, too. */
static void run_end(struct run *r) {
    kill(-r->pid, SIGKILL);
    while (waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR)
        ;
    while (waitpid(-r->pid, NULL, 0) > 0 || errno == EINTR)
        ;
    close_if_open(&r->out);
    close_if_open(&r->complaint);
}

/* The complaint as one line: its end, without control characters, and without words long enough to
 * be a secret. */
static char *complaint_shown(const struct strbuf *complaint) {
    static const char token[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+.=~";
    _cleanup_(strbuf_done) struct strbuf line = STRBUF(COMPLAINT_BYTES);
    const char *at = complaint->data ? complaint->data : "";
    size_t skip;

    while (*at) {
        size_t n = strspn(at, token);

        if (n >= TOKEN_LIKE)
            strbuf_adds(&line, "***");
        else if (n)
            strbuf_add(&line, at, n);
        else if ((unsigned char)*at > ' ' && (unsigned char)*at < 0x7f)
            strbuf_add(&line, at, 1);
        else if (line.len && line.data[line.len - 1] != ' ')
            strbuf_adds(&line, " ");
        at += n ? n : 1;
    }
    while (line.len && line.data[line.len - 1] == ' ')
        line.data[--line.len] = '\0';
    skip = line.len > COMPLAINT_SHOWN ? line.len - COMPLAINT_SHOWN : 0;
    return xasprintf("%s%s", skip ? "..." : "", line.data ? line.data + skip : "");
}

static void told(const struct kube_exec *e, const struct run *r, const char *what, char *reterr,
                 size_t n) {
    _cleanup_free_ char *complaint = complaint_shown(&r->complaints);

    snprintf(reterr, n, "exec plugin %s %s%s%s", e->command, what, *complaint ? ": " : "",
             complaint);
}

static bool run_good(const struct kube_exec *e, const struct run *r, const char *why, char *reterr,
                     size_t n) {
    char what[64];

    if (why)
        snprintf(what, sizeof(what), "%s", why);
    else if (WIFSIGNALED(r->status))
        snprintf(what, sizeof(what), "was ended by signal %d", WTERMSIG(r->status));
    else if (WEXITSTATUS(r->status))
        snprintf(what, sizeof(what), "failed with exit status %d", WEXITSTATUS(r->status));
    else if (r->text.len && memchr(r->text.data, '\0', r->text.len))
        snprintf(what, sizeof(what), "printed a NUL byte");
    else
        return true;
    told(e, r, what, reterr, n);
    return false;
}

static void secret_done(struct strbuf *b) {
    if (b->data)
        explicit_bzero(b->data, b->len);
    strbuf_done(b);
}

char *kube_exec_run(const struct kube_exec *e, int timeout_ms, const atomic_bool *canceled,
                    char *reterr, size_t n) {
    struct run r = {.text = STRBUF(KUBE_EXEC_BYTES), .complaints = STRBUF(COMPLAINT_BYTES)};
    _cleanup_free_ char *path = in_path(e->command, e->env);
    char *text = NULL;
    int error = path ? run_begin(&r, e, path) : ENOENT;
    char reason[128];
    const char *why;
    if (error) {
        snprintf(reterr, n, "exec plugin %s cannot be run: %s%s%s", e->command,
                 path ? strerror_r(error, reason, sizeof(reason)) : "there is no such program",
                 e->install_hint ? ". " : "", e->install_hint ? e->install_hint : "");
        return NULL;
    }
    why = run_watch(&r, timeout_ms, canceled);
    run_end(&r);
    if (run_good(e, &r, why, reterr, n))
        text = xstrndup(r.text.data ? r.text.data : "", r.text.len);
    secret_done(&r.text);
    secret_done(&r.complaints);
    return text;
}
