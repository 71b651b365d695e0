/* rollout/seen.h: what was observed of an environment's objects, as plain values.  worker/observe.c
 * fills it. */
#pragma once
#include "base/json.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum Color { COLOR_BLUE, COLOR_GREEN, COLORS } Color;
extern const char *const color_names[COLORS]; /* "blue", "green" */
bool color_find(const char *name, Color *ret);
static inline Color color_other(Color c) {
    return c == COLOR_BLUE ? COLOR_GREEN : COLOR_BLUE;
}

enum { SEEN_TEXT = 256 };

/* Why pods do not become available, in plain words, the worst first. */
struct seen_trouble {
    const char *code; /* "image-pull", "crash-loop", "quota", "unschedulable"; NULL: none */
    char detail[SEEN_TEXT * 2]; /* names pod and container */
    int64_t since_us; /* wall clock: since when it is so, as far as the objects tell; 0 unknown */
};

/* What somebody else changed of an object since our last write to it, or since resolve
 * (rollout/change.h). */
enum { SEEN_VALUE = 160, SEEN_WHO = 96 };
typedef enum ChangeKind {
    CHANGE_NONE,
    CHANGE_FIELD,
    CHANGE_GONE,
    CHANGE_CREATED,
    CHANGE_REPLACED
} ChangeKind;
struct seen_change {
    ChangeKind kind;
    int fields;            /* how many differ; the one that matters most is named */
    char field[SEEN_TEXT]; /* "spec.selector.environment" */
    char was[SEEN_VALUE], is[SEEN_VALUE];
    char by[SEEN_WHO]; /* the field's manager, "" when not known */
    int64_t at_us;
};

/* The HorizontalPodAutoscaler that scales a workload.  Kubernetes' rule: at 0 replicas it rests. */
struct seen_autoscaler {
    bool exists;
    char name[SEEN_TEXT];
    int least, most;
};

/* A color's workload (a Kubernetes Deployment) with the pods of its current ReplicaSet. */
struct seen_workload {
    bool exists;
    char uid[64], resource_version[32], op[40]; /* op: annotation sluice.dev/op, "" if none */
    int64_t epoch;                              /* annotation sluice.dev/epoch, 0 if none */
    int64_t generation, observed_generation;
    int replicas;                            /* spec.replicas */
    int min_ready_s;                         /* spec.minReadySeconds */
    int status_replicas, updated, available; /* from its status */
    char
        template_hash[64]; /* pod-template-hash of the current ReplicaSet; "" before there is one */
    char version[SEEN_TEXT], image[SEEN_TEXT * 2];
    int pods;       /* of the current ReplicaSet, not terminating */
    int pods_ready; /* of these: Ready, matching the Service's selector with this color, with its
                       target port */
    char oldest_ready[32];    /* the lowest resourceVersion among those ready pods */
    char strategy[SEEN_TEXT]; /* spec.strategy as JSON text */
    char progress[SEEN_TEXT *
                  2]; /* reason and message of condition Progressing when it is False, else "" */
    struct seen_trouble trouble;
    struct seen_autoscaler autoscaler;
    struct seen_change change;
    char gitops[SEEN_TEXT]; /* the GitOps controller that owns the image, "" if none */
    char *comparable;       /* owned: change_comparable(), NULL when it does not exist */
};

/* It runs, but of which template is not known: the controller has not come to its latest
 * generation, which any mark of ours moves too. */
static inline bool seen_template_unknown(const struct seen_workload *w) {
    return w->exists && w->replicas > 0 && !*w->template_hash;
}

struct seen_service {
    bool exists;
    char uid[64], resource_version[32], op[40];
    int64_t epoch;
    bool color_known; /* the selector names one of the environment's colors */
    Color color;
    char color_text[SEEN_TEXT]; /* what the selector's key says, "" when the key is absent */
    char cluster_ip[64];
    int port;
    int endpoints_ready[COLORS]; /* ready endpoints of its EndpointSlices that belong to pods of
                                    each color's workload */
    int endpoints_other;         /* ready endpoints of other pods */
    struct seen_change change;
    char gitops[SEEN_TEXT]; /* the GitOps controller that owns the selector, "" if none */
    char *comparable;       /* owned, NULL when it does not exist */
};

/* One machine check under way: worker/prober.c counts. */
struct seen_check {
    const char *name;     /* borrowed from the plan */
    int passed, needed;   /* successes in a row */
    int failed, allowed;  /* failures in a row */
    bool unasked;         /* the last time the cluster could not be reached: it counts as neither */
    char last[SEEN_TEXT]; /* what the last answer was */
};

enum { SEEN_CHECKS = 16 };

/* What the gates said (domain/gate.h), of steps that ask for it. */
struct seen_gate {
    bool known; /* false: the facts could not be read */
    bool open, frozen_only;
    char why[SEEN_TEXT * 2]; /* of one that is closed */
};

/* What the step's flags are, of steps that change some. */
struct seen_flags {
    bool known;                /* false: they could not be read */
    char wrong[SEEN_TEXT * 2]; /* why they cannot be changed; else empty */
    char what[SEEN_TEXT * 2];  /* what is changed, for people */
};

struct seen {
    int64_t now_us; /* monotonic */
    bool reachable; /* false: error says why, and nothing else is known */
    bool fresh;     /* read from the API server for this very decision, not from the watch cache */
    char error[SEEN_TEXT];
    struct seen_service service;
    struct seen_workload workload[COLORS];
    json_t *template_[COLORS]; /* spec.template of each workload, owned; NULL where there is none */
    struct seen_check checks[SEEN_CHECKS];
    int check_count;
    struct seen_gate gate;
    struct seen_flags flags;
};

void seen_done(struct seen *s); /* NULL-safe, idempotent */
static inline void seen_done_cleanup(struct seen *s) {
    seen_done(s);
}
