#include "tests/support/sim.h"
#include "base/cleanup.h"
#include "net/net.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* kubesim is in bin/ beside the folder of this program. */
static char *program(void) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        die("no /proc/self/exe");
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    return xasprintf("%s/../bin/kubesim", self);
}

_Noreturn static void run(const struct sim *s, int history, int out) {
    _cleanup_free_ char *path = program(), *number = xasprintf("%d", history ? history : 1000);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    execl(path, "kubesim", "--dir", s->folder.path, "--seed-inopnc", "--history", number,
          (char *)NULL);
    _exit(127);
}

static void wait_ready(int fd) {
    char text[4096];
    size_t n = 0;
    ssize_t got;

    while (n < sizeof(text) - 1 && (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0) {
        n += (size_t)got;
        text[n] = '\0';
        if (strstr(text, "ready"))
            return;
    }
    die("kubesim did not become ready");
}

/* What stands between `before` and the next quote or line end in the file; yours. */
static char *setting(const struct sim *s, const char *name, const char *before) {
    _cleanup_free_ char *path = folder_file(&s->folder, name);
    char text[16384];
    FILE *in = fopen(path, "r");
    size_t n = in ? fread(text, 1, sizeof(text) - 1, in) : 0;
    char *at;

    if (in)
        fclose(in);
    text[n] = '\0';
    at = strstr(text, before);
    if (!at)
        die("no %s in %s", before, path);
    at += strlen(before);
    return xstrndup(at, strcspn(at, "'\"\n"));
}

bool sim_is_real(void) {
    return getenv("REAL_KUBECONFIG") != NULL;
}

static void start_kubesim(struct sim *s, int history) {
    _cleanup_free_ char *control = NULL;
    int out[2];

    if (pipe2(out, O_CLOEXEC) != 0)
        die("no pipe");
    s->pid = fork();
    if (s->pid == 0)
        run(s, history, out[1]);
    close(out[1]);
    wait_ready(out[0]);
    close(out[0]);
    control = setting(s, "kubesim.env", "KUBESIM_URL='");
    snprintf(s->control, sizeof(s->control), "%s", control);
}

static void copy_kubeconfig(struct sim *s) {
    char text[16384];
    FILE *in = fopen(getenv("REAL_KUBECONFIG"), "r");
    size_t n = in ? fread(text, 1, sizeof(text) - 1, in) : 0;

    if (!n)
        die("REAL_KUBECONFIG cannot be read");
    fclose(in);
    text[n] = '\0';
    folder_put(&s->folder, "kubeconfig", text);
}

void sim_start(struct sim *s, int history) {
    _cleanup_free_ char *port = NULL;

    *s = (struct sim){.folder = folder_make(), .client = net_client_new("test")};
    if (sim_is_real())
        copy_kubeconfig(s);
    else
        start_kubesim(s, history);
    port = setting(s, "kubeconfig", "server: https://127.0.0.1:");
    s->api_port = (unsigned)strtoul(port, NULL, 10);
}

void sim_stop(struct sim *s) {
    if (s->pid) {
        kill(s->pid, SIGTERM);
        waitpid(s->pid, NULL, 0);
    }
    net_client_free(s->client);
    folder_remove(&s->folder);
}

json_t *sim_control(const struct sim *s, const char *method, const char *path, const char *body) {
    _cleanup_free_ char *url = xasprintf("%s%s", s->control, path);
    const char *headers[] = {"Content-Type: application/json", NULL};
    struct net_response r;
    json_t *answer;

    net_call(s->client,
             &(struct net_request){.method = method,
                                   .url = url,
                                   .headers = headers,
                                   .body = body,
                                   .body_len = body ? strlen(body) : 0,
                                   .timeout_ms = 5000,
                                   .max_bytes = 64 << 20},
             &r);
    if (r.outcome != NET_ANSWERED || r.status > 299)
        die("kubesim: %s %s: %u %s", method, path, r.status, r.body ? r.body : r.error);
    answer = json_loadb(r.body, r.body_len, 0, NULL);
    net_response_done(&r);
    return answer;
}
