/* auth/ticket.h: a permission that fits into a URL, for those who cannot send headers (a browser's
 * EventSource): signed, good once and for a short time.
 *
 * Every server with the same secret accepts it; that it is good once holds for each server by
 * itself.  Tickets never go into a log: URLs are logged without their queries.  Any thread. */
#pragma once
#include "base/arena.h"
#include <stdbool.h>

enum { TICKET_WHAT_MAX = 400, TICKET_TEXT_MAX = 800 };

struct tickets;
struct tickets *tickets_new(const char *secret); /* copied, in another form */
void tickets_free(struct tickets *t);            /* NULL-safe; wipes */
/* For `what`, at most TICKET_WHAT_MAX bytes; in the arena; letters, digits, - and _ only. */
const char *ticket_make(const struct tickets *t, const char *what, int64_t now_us, int64_t ttl_us,
                        struct arena *arena);

typedef enum TicketVerdict {
    TICKET_GOOD,  /* and no longer */
    TICKET_SPENT, /* it was ours: used before, or too old */
    TICKET_NONE,  /* none of ours */
} TicketVerdict;
/* *ret_what: what it was made for, unless it is none; in the arena. */
TicketVerdict ticket_take(struct tickets *t, const char *text, int64_t now_us, struct arena *arena,
                          const char **ret_what);
