/* handlers/flag_request.h: changes of flags that are asked for in an environment, approved by
 * others, and then applied: what asking and deciding share. */
#pragma once
#include "db/flag_request.h"
#include "handlers/flag.h"

/* {app}, {env} and {request} of the path.  Refuses as path_place, and E_INVALID_PATH. */
MUSTCHECK Status path_flag_request(const struct request *q, struct flag_request_filter *ret,
                                   struct reply *r);
Status flag_request_missing(struct reply *r, const char *id);
/* As it is answered; yours. */
json_t *flag_request_json(const struct flag_request_row *row);

/* In the transaction: reads it again and answers it. */
MUSTCHECK Status flag_request_answer(struct db_tx *tx, const struct flag_request_filter *of,
                                     unsigned status, struct reply *r);
