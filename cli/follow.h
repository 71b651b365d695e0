/* cli/follow.h: an event stream of records, kept up across restarts of the server.
 *
 * The stream arrives on a thread of its own; the program's thread asks follow_next(), which also
 * reconnects. */
#pragma once
#include "cli/session.h"

typedef enum FollowNews {
    FOLLOW_NOTHING, /* the time is over */
    FOLLOW_RECORD,  /* *ret is a record */
    FOLLOW_ENDED,   /* there will be no more */
    FOLLOW_REFUSED, /* the server refuses the stream: *ret_answer */
    FOLLOW_POLL,    /* there is no stream to be had here: look for yourself, now */
} FollowNews;

struct follow_record {
    char *id;     /* owned: for Last-Event-ID */
    json_t *json; /* owned */
};
void follow_record_done(struct follow_record *r);

struct follow;
/* `path` from api_path(); `last_id` NULL: from the beginning. */
struct follow *follow_new(struct session *s, const char *path, const char *last_id);
void follow_free(struct follow *f);
/* Waits at most `timeout_ms`; a signal ends the wait early (FOLLOW_NOTHING). */
FollowNews follow_next(struct follow *f, int timeout_ms, struct follow_record *ret,
                       struct api_answer *ret_answer);
/* Becomes readable when there may be news, for who waits for several. */
int follow_fd(const struct follow *f);
/* For how long the stream has been away; 0 when it is there.  `ret_why` (may be NULL): borrowed. */
int64_t follow_away_us(const struct follow *f, const char **ret_why);
