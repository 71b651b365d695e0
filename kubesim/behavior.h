/* kubesim/behavior.h: how pods behave, by image and by pod, and the cluster's own lags: what the
 * control API sets (PUT /images, /pods/…, /behavior). */
#pragma once
#include <jansson.h>
#include <stdbool.h>

struct behavior {
    int ready_after_ms; /* from the container's start (the pod's creation the first time) */
    bool never_ready;
    char pull_error[128]; /* the reason; "": none */
    int crash_after_ms;   /* -1: by itself it does not crash */
    bool crash_loop;      /* crashes after each start, and at once where it runs already */
    double error_rate;
    int latency_ms;
    bool health_ok;
};

struct timing {
    int endpoint_lag_ms, proxy_lag_ms, termination_grace_ms;
    double speed;
};

struct behaviors;
struct behaviors *behaviors_new(void);
void behaviors_free(struct behaviors *b); /* NULL-safe */
const struct timing *behaviors_timing(const struct behaviors *b);
/* What holds for a pod: its own behavior, else its image's (a digest may be missing), else the
 * default. */
struct behavior behaviors_of(const struct behaviors *b, const char *ns, const char *pod,
                             const char *image);

/* Each sets what the body of its call says; false with a message when the body is not valid, and
 * then nothing changed. */
bool behaviors_set_image(struct behaviors *b, const json_t *body, char error[256]);
bool behaviors_set_pod(struct behaviors *b, const char *ns, const char *pod, const json_t *body,
                       char error[256]);
bool behaviors_set_timing(struct behaviors *b, const json_t *body, char error[256]);
/* Whether every key of `body` is among `allowed` (ended by NULL). */
bool keys_known(const json_t *body, const char *const *allowed, char error[256]);
