/* kubesim/rest.h: the Kubernetes API: paths, verbs, and what goes around each request (the token,
 * injected faults, the request log). */
#pragma once
#include "kubesim/sim.h"

struct call;

/* What a path names. */
struct target {
    const struct kind *kind;
    char ns[254], name[254], sub[32];
    const char *rest; /* the path after a subresource that goes on (proxy), or "" */
};
/* False when the path is not one of a resource. */
bool target_parse(const char *path, struct target *ret);

/* Handles one request: a call_fn with the sim as its context. */
void rest_call(void *ctx, struct call *call);
/* Answers with a Status (taken). */
void rest_refuse(struct call *call, json_t *status);
void rest_answer(struct call *call, unsigned code, const json_t *body);
/* An answer that is no JSON (logs, proxied answers). */
void rest_plain(struct call *call, unsigned code, const char *content_type, const char *bytes,
                size_t n);
