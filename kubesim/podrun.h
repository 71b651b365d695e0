/* kubesim/podrun.h: a pod as its node sees it. */
#pragma once
#include "kubesim/sim.h"

typedef enum PodStage {
    POD_NEW,
    POD_UNSCHEDULABLE, /* no node takes it */
    POD_CREATING,      /* the image is being pulled */
    POD_PULL_ERROR,    /* ErrImagePull */
    POD_PULL_BACKOFF,  /* ImagePullBackOff */
    POD_STARTED,       /* the container runs, not ready */
    POD_READY,
    POD_CRASHED, /* CrashLoopBackOff: waits for its restart */
    POD_TERMINATING,
} PodStage;

struct pod_run {
    struct sim *sim;
    struct slot *slot;
    PodStage stage;
    bool was_ready;             /* when its termination began */
    struct simloop_timer timer; /* the next stage */
    struct simloop_timer crash;
    char ip[16];
    int port;
    bool open; /* its server is */
    int restarts, exits;
    char scheduled_at[32], started_at[32], ready_at[32]; /* of the latest change */
    int64_t ready_us;                                    /* when it last became ready; 0: never */
    char last_started_at[32], last_finished_at[32];      /* of the run before */
    char pull_message[300];
};

/* The status of a pod in its stage; yours. */
json_t *podrun_status(const struct pod_run *run);
/* Its first container's image, never NULL; the tag of an image ("latest" without one). */
const char *podrun_image(const struct slot *slot);
char *image_tag(const char *image); /* yours */
