#include "db/nonce.h"
#include "base/cleanup.h"

static Status take(struct db_pool *p, const char *key_id, const char *nonce, int64_t created_s) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_once(p, SQL_NONCE_TAKE, &rows, DB_PARAMS(key_id, nonce, DB_INT(created_s)));

    return s == STATUS_OK && db_rows_count(rows) == 0 ? E_UNAUTHENTICATED : s;
}

Status db_nonce_take(struct db_pool *p, const char *key_id, const char *nonce, int64_t created_s) {
    Status s = take(p, key_id, nonce, created_s);

    if (s != FAULT_DATABASE)
        return s;
    s = db_nonce_partitions(p); /* no partition for it: every server was away for hours */
    return s == STATUS_OK ? take(p, key_id, nonce, created_s) : s;
}

Status db_nonce_partitions(struct db_pool *p) {
    return db_once(p, SQL_NONCE_PARTITIONS, NULL, DB_NO_PARAMS);
}
