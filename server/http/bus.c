/* http/bus.c: publications reach the parked requests and the event streams of every running server.
 */
#include "db/bus.h"
#include "http/server.h"

static pthread_rwlock_t running_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct http_server *running; /* under running_lock */

/* ctx: the server as it was; it counts only if it is still running. */
static void on_publication(void *ctx, const char *topic) {
    pthread_rwlock_rdlock(&running_lock);
    for (struct http_server *s = running; s; s = s->next) {
        if (s != ctx)
            continue;
        parking_publish(&s->parking, topic);
        streams_publish(&s->streams, topic);
    }
    pthread_rwlock_unlock(&running_lock);
}

void server_listen_to_bus(struct http_server *s) {
    pthread_rwlock_wrlock(&running_lock);
    s->next = running;
    running = s;
    pthread_rwlock_unlock(&running_lock);
    if (s->in.bus)
        bus_subscribe(s->in.bus, on_publication, s);
}

void server_ignore_bus(struct http_server *s) {
    pthread_rwlock_wrlock(&running_lock);
    for (struct http_server **at = &running; *at; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            break;
        }
    }
    pthread_rwlock_unlock(&running_lock);
}
