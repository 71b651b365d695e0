/* kube/exec.c: a plugin at work. */
#include "kube/exec.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct kube_plugin {
    const struct kube_exec *exec;
    const struct net_tls *tls;
    const char *cluster;
    struct kube_plugin_timing timing;
    pthread_t thread;
    atomic_bool canceled;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic */
    /* under lock: */
    struct kube_login *login;   /* the newest; NULL: none, or refused */
    bool wanted;                /* somebody asked since it was last run */
    int64_t next_us;            /* then it is run again, if wanted; monotonic; INT64_MAX: never */
                                /* when it is run again, monotonic; INT64_MAX: not by itself */
    unsigned failures;          /* since it last worked */
    char error[KUBE_EXEC_TEXT]; /* of the last run, when it failed */
};

/* Until `at` (monotonic) or until something changes.  Under lock. */
static void wait_until(struct kube_plugin *p, int64_t at_us) {
    if (at_us == INT64_MAX)
        pthread_cond_wait(&p->changed, &p->lock);
    else
        clock_cond_wait(&p->changed, &p->lock, at_us);
}

static int64_t pause_us(const struct kube_plugin *p) {
    int64_t ms = (int64_t)p->timing.retry_ms << (p->failures > 16 ? 16 : p->failures - 1);

    return (ms < p->timing.retry_most_ms ? ms : p->timing.retry_most_ms) * US_PER_MS;
}

/* Takes over what a run brought.  Under lock. */
static void run_done(struct kube_plugin *p, struct kube_login *login, const char *why) {
    int64_t least_us;

    p->wanted = false;
    if (login) {
        kube_login_unref(p->login);
        p->login = login;
        least_us = clock_monotonic_us() + p->timing.retry_ms * US_PER_MS;
        p->next_us = login->refresh_us > least_us ? login->refresh_us : least_us;
        if (p->failures)
            log_event(LOG_INFO, "kube.exec.works", "cluster", p->cluster, NULL);
        p->failures = 0;
        return;
    }
    if (p->failures++ == 0 && !atomic_load(&p->canceled))
        log_event(LOG_WARNING, "kube.exec", "cluster", p->cluster, "error", why, NULL);
    snprintf(p->error, sizeof(p->error), "%s", why);
    p->next_us = clock_monotonic_us() + pause_us(p);
}

static struct kube_login *run(struct kube_plugin *p, char *reterr, size_t n) {
    char *text = kube_exec_run(p->exec, p->timing.run_ms, &p->canceled, reterr, n);
    struct kube_login *login = NULL;
    char why[128];

    if (text) {
        login = kube_login_read(text, p->exec->api_version, p->tls, why, sizeof(why));
        if (!login)
            snprintf(reterr, n, "exec plugin %s %s", p->exec->command, why);
        explicit_bzero(text, strlen(text));
        free(text);
    }
    return login;
}

static void *plugin_thread(void *ctx) {
    struct kube_plugin *p = ctx;

    pthread_mutex_lock(&p->lock);
    while (!atomic_load(&p->canceled)) {
        char why[KUBE_EXEC_TEXT] = "";
        struct kube_login *login;

        if (!p->wanted || clock_monotonic_us() < p->next_us) {
            wait_until(p, p->wanted ? p->next_us : INT64_MAX);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        login = run(p, why, sizeof(why));
        pthread_mutex_lock(&p->lock);
        run_done(p, login, why);
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct kube_plugin *kube_plugin_new(const struct kube_exec *exec, const struct net_tls *tls,
                                    const char *cluster, const struct kube_plugin_timing *timing) {
    struct kube_plugin *p = xcalloc(1, sizeof(*p));
    sigset_t all, before;

    p->exec = exec;
    p->tls = tls;
    p->cluster = cluster;
    p->timing = *timing;
    p->wanted = true;
    pthread_mutex_init(&p->lock, NULL);
    clock_cond_init(&p->changed);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
    if (pthread_create(&p->thread, NULL, plugin_thread, p) != 0)
        die("no thread for an exec plugin");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return p;
}

void kube_plugin_cancel(struct kube_plugin *p) {
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->canceled, true);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

void kube_plugin_free(struct kube_plugin *p) {
    if (!p)
        return;
    kube_plugin_cancel(p);
    pthread_join(p->thread, NULL);
    kube_login_unref(p->login);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* What there is now.  Under lock. */
static KubeLogin look(struct kube_plugin *p, struct kube_login **ret, char *reterr, size_t n) {
    int64_t now = clock_monotonic_us();

    if (!p->wanted) {
        p->wanted = true;
        pthread_cond_broadcast(&p->changed);
    }
    if (p->login && now < p->login->expires_us) {
        *ret = kube_login_ref(p->login);
        return LOGIN_READY;
    }
    if (atomic_load(&p->canceled)) {
        snprintf(reterr, n, "exec plugin %s is not run any more", p->exec->command);
        return LOGIN_FAILED;
    }
    if (p->failures && now < p->next_us) {
        snprintf(reterr, n, "%s", p->error);
        return LOGIN_FAILED;
    }
    snprintf(reterr, n, "exec plugin %s has not answered yet", p->exec->command);
    return LOGIN_SOON;
}

KubeLogin kube_plugin_login(struct kube_plugin *p, int wait_ms, struct kube_login **ret,
                            char *reterr, size_t n) {
    int64_t deadline = clock_monotonic_us() + wait_ms * US_PER_MS;
    KubeLogin found;

    *ret = NULL;
    pthread_mutex_lock(&p->lock);
    found = look(p, ret, reterr, n);
    while (found == LOGIN_SOON && clock_monotonic_us() < deadline) {
        wait_until(p, deadline);
        found = look(p, ret, reterr, n);
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

/* Gives the refused credential up, unless that happened, or it is too young for another to help.
 * Under lock. */
static bool give_up(struct kube_plugin *p, const struct kube_login *l) {
    if (p->login != l)
        return true;
    if (clock_monotonic_us() - l->made_us < p->timing.renew_ms * US_PER_MS)
        return false;
    kube_login_unref(p->login);
    p->login = NULL;
    p->next_us = 0;
    pthread_cond_broadcast(&p->changed);
    return true;
}

bool kube_plugin_refused(struct kube_plugin *p, const struct kube_login *l, int wait_ms) {
    struct kube_login *now = NULL;
    char why[KUBE_EXEC_TEXT];
    bool renewed;

    pthread_mutex_lock(&p->lock);
    renewed = give_up(p, l);
    pthread_mutex_unlock(&p->lock);
    renewed = renewed && kube_plugin_login(p, wait_ms, &now, why, sizeof(why)) == LOGIN_READY;
    kube_login_unref(now);
    return renewed;
}
