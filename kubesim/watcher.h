/* kubesim/watcher.h: watches: streams of what happens to the objects of one kind. */
#pragma once
#include "kubesim/sim.h"

struct call;
struct watchers;

struct watch_options {
    const struct kind *kind;
    const char *ns;            /* "": every namespace */
    json_t *selector, *fields; /* NULL: all; taken */
    const char *version; /* resourceVersion; NULL or "0": what there is first, then what comes */
    bool bookmarks, initial_events;
    int timeout_s; /* 0: half an hour */
};

struct watchers *watchers_new(struct sim *sim);
void watchers_free(struct watchers *w); /* NULL-safe; after the front has ended the calls */
/* Answers `call` with a stream; its note becomes the watch's. */
void watch_begin(struct watchers *w, struct call *call, const struct watch_options *options);
/* Wakes those whom a new event of this kind concerns. */
void watchers_wake(struct watchers *w, const struct slot *slot, const struct event *event);
