/* notify/notify.c: a thread per task, which looks again each poll_ms, and at once when this server
 * made a checkpoint. */
#include "notify/notify.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "notify/task.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MAKE, KEEP, SEND, TASKS };

static const struct {
    const char *name;
    task_fn *step;
} tasks[TASKS] = {
    [MAKE] = {"make", checkpoint_make},
    [KEEP] = {"keep", checkpoint_keep},
    [SEND] = {"send", checkpoint_send},
};

struct notify {
    struct work work;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ending;   /* under lock, as all below */
    unsigned made; /* counts checkpoints of this server */
    struct running {
        struct notify *notify;
        int task;
        pthread_t thread;
        bool wanted, started;
        bool failing;
        int64_t number;
        char error[TASK_ERROR];
    } running[TASKS];
};

struct notify *notify_new(const struct notify_settings *in) {
    struct notify *n = xcalloc(1, sizeof *n);

    n->work.in = *in;
    n->work.policy = (struct net_policy){
        .allow = in->outbound_allow,
        .listed_only = in->url && strncmp(in->url, "https://", 8) != 0,
    };
    n->work.signer = in->key_pem ? note_signer_new(in->key_pem, in->name) : NULL;
    n->work.client = in->url ? net_client_new("sluiced/" SLUICE_VERSION) : NULL;
    n->running[MAKE].wanted = n->work.signer != NULL;
    n->running[KEEP].wanted = in->dir != NULL;
    n->running[SEND].wanted = in->url != NULL;
    pthread_mutex_init(&n->lock, NULL);
    clock_cond_init(&n->wake);
    return n;
}

/* Says in the log when it begins to fail, and when it does so no more. */
static void note_result(struct running *r, TaskResult result, int64_t number, const char *error) {
    bool failing = result == TASK_FAILED, changed;

    if (result == TASK_PAUSES)
        return;
    pthread_mutex_lock(&r->notify->lock);
    changed = r->failing != failing;
    r->failing = failing;
    snprintf(r->error, sizeof r->error, "%s", failing ? error : "");
    if (number)
        r->number = number;
    if (number && r->task == MAKE) {
        r->notify->made++;
        pthread_cond_broadcast(&r->notify->wake);
    }
    pthread_mutex_unlock(&r->notify->lock);
    if (changed)
        log_event(failing ? LOG_WARNING : LOG_INFO,
                  failing ? "checkpoint-failing" : "checkpoint-works", "task", tasks[r->task].name,
                  "detail", failing ? error : NULL, NULL);
}

/* false: it is to end. */
static bool rest(struct notify *n, unsigned *seen) {
    int64_t until = clock_monotonic_us() + n->work.in.poll_ms * US_PER_MS;
    bool ending;

    pthread_mutex_lock(&n->lock);
    while (!n->ending && n->made == *seen && clock_cond_wait(&n->wake, &n->lock, until))
        ;
    *seen = n->made;
    ending = n->ending;
    pthread_mutex_unlock(&n->lock);
    return !ending;
}

static bool is_ending(struct notify *n) {
    bool ending;

    pthread_mutex_lock(&n->lock);
    ending = n->ending;
    pthread_mutex_unlock(&n->lock);
    return ending;
}

static void *task_main(void *ctx) {
    struct running *r = ctx;
    unsigned seen = 0;

    do {
        TaskResult result;

        do {
            char error[TASK_ERROR] = "";
            int64_t number = 0;

            result = tasks[r->task].step(&r->notify->work, &number, error);
            note_result(r, result, number, error);
        } while (result == TASK_MORE && !is_ending(r->notify));
    } while (rest(r->notify, &seen));
    return NULL;
}

void notify_begin(struct notify *n) {
    for (int i = 0; i < TASKS; i++) {
        struct running *r = &n->running[i];

        if (!r->wanted || r->started)
            continue;
        r->notify = n;
        r->task = i;
        r->started = true;
        if (pthread_create(&r->thread, NULL, task_main, r) != 0)
            die("cannot start a thread");
    }
}

void notify_free(struct notify *n) {
    if (!n)
        return;
    pthread_mutex_lock(&n->lock);
    n->ending = true;
    pthread_cond_broadcast(&n->wake);
    pthread_mutex_unlock(&n->lock);
    if (n->work.client)
        net_client_cancel(n->work.client);
    for (int i = 0; i < TASKS; i++)
        if (n->running[i].started)
            pthread_join(n->running[i].thread, NULL);
    net_client_free(n->work.client);
    note_signer_free(n->work.signer);
    pthread_mutex_destroy(&n->lock);
    pthread_cond_destroy(&n->wake);
    free(n);
}

json_t *notify_stats(struct notify *n) {
    json_t *out = json_object();

    pthread_mutex_lock(&n->lock);
    for (int i = 0; i < TASKS; i++) {
        const struct running *r = &n->running[i];

        json_object_set_new(out, tasks[i].name,
                            !r->wanted ? json_null()
                                       : json_pack("{s:b,s:o,s:I}", "ok", !r->failing, "error",
                                                   r->failing ? json_string(r->error) : json_null(),
                                                   "number", (json_int_t)r->number));
    }
    pthread_mutex_unlock(&n->lock);
    return out;
}
