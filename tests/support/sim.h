/* tests/support/sim.h: a kubesim of one test, with its control API; or, where REAL_KUBECONFIG names
 * its kubeconfig, a real cluster that all tests share. */
#pragma once
#include "base/json.h"
#include "tests/support/folder.h"
#include <stdbool.h>
#include <sys/types.h>

struct sim {
    struct folder folder; /* holds kubeconfig */
    pid_t pid;            /* 0: it is a real cluster, without a control API */
    char control[64];     /* http://127.0.0.1:N */
    unsigned api_port;
    struct net_client *client;
};

/* Starts build/…/bin/kubesim with INOPNC's Services; `history`: how many events it keeps per kind
 * (0: its own number).  It ends with this process at the latest. */
void sim_start(struct sim *s, int history);
bool sim_is_real(void);
void sim_stop(struct sim *s);
/* PUT or GET on the control API; the answer, yours; anything but a 2xx ends the process. */
json_t *sim_control(const struct sim *s, const char *method, const char *path, const char *body);
