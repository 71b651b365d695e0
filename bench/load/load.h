/* bench/load/load.h: a steady open-loop HTTP load: requests leave at their times whether or not
 * earlier ones were answered, so that a stalled server shows as latency, not as fewer requests. */
#pragma once
#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct load_settings {
    struct sockaddr_in address;
    const char *host, *path; /* borrowed for the load's life */
    double rate;             /* requests per second */
    int64_t seconds;         /* 0: until load_stop() */
    int keep_alive;          /* connections kept for reuse; 0: a new one per request */
    int timeout_ms;          /* from when a request was due to its complete answer */
};

struct load;

struct load *load_start(const struct load_settings *settings); /* a thread of its own */
/* Whether every request has been sent and answered or has failed. */
bool load_finished(struct load *load);
void load_stop(struct load *load); /* sends no more */
/* What happened so far; yours.  Latencies (milliseconds; sorted for it, so not for every glance)
 * count from when a request was due. */
json_t *load_report(struct load *load, bool latencies);
void load_free(struct load *load);
