/* db/nonce.h: signed requests that changed something, so that none is taken twice. */
#pragma once
#include "db/db.h"

/* Takes a nonce, in a transaction of its own: what is refused is refused while the first request is
 * still being served.  Refuses E_UNAUTHENTICATED when it was taken before.  Makes the partition
 * where nobody made it ahead. */
MUSTCHECK Status db_nonce_take(struct db_pool *p, const char *key_id, const char *nonce,
                               int64_t created_s);
/* Makes the partitions of the hours to come, drops those that are over; any number of servers at
 * once. */
MUSTCHECK Status db_nonce_partitions(struct db_pool *p);
