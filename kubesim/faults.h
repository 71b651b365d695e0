/* kubesim/faults.h: failures that requests to the Kubernetes API meet (PUT /faults). */
#pragma once
#include <jansson.h>
#include <stdbool.h>

typedef enum FaultAction {
    FAULT_NONE,
    FAULT_STATUS,     /* answers with `code` */
    FAULT_DELAY,      /* handles the request after delay_ms */
    FAULT_HANG,       /* neither applies nor answers */
    FAULT_CUT_BEFORE, /* drops the connection, applies nothing */
    FAULT_CUT_AFTER,  /* applies, then drops the connection without an answer */
} FaultAction;

struct fault_effect {
    FaultAction action;
    unsigned code;
    int retry_after_s; /* -1: none */
    int delay_ms;
};

struct faults;
struct faults *faults_new(void);
void faults_free(struct faults *f); /* NULL-safe */
/* Replaces the list; false with a message when it is not valid, and then nothing changed. */
bool faults_set(struct faults *f, const json_t *list, char error[256]);
/* What this request meets: the first fault of the list that matches and acts.  `verb` is the HTTP
 * method, `kube_verb` "get", "list", "watch", …; a fault may name either. */
struct fault_effect faults_meet(struct faults *f, const char *verb, const char *kube_verb,
                                const char *path, const char *query, const char *user_agent);
