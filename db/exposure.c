#include "db/exposure.h"

Status db_exposure_add(struct db_pool *p, const char *counts) {
    return db_once(p, SQL_EXPOSURE_ADD, NULL, DB_PARAMS(counts));
}

Status db_exposure_list(struct db_pool *p, const char *environment_id, const char *flag,
                        int64_t hours, struct db_rows **ret) {
    return db_once(p, SQL_EXPOSURE_LIST, ret, DB_PARAMS(environment_id, flag, DB_INT(hours)));
}

Status db_exposure_last_seen(struct db_pool *p, const char *environment_id, const char *flag,
                             struct db_rows **ret) {
    return db_once(p, SQL_EXPOSURE_LAST_SEEN, ret, DB_PARAMS(environment_id, flag));
}

Status db_exposure_since_switch(struct db_pool *p, const char *deployment_id,
                                struct db_rows **ret) {
    return db_once(p, SQL_EXPOSURE_SINCE_SWITCH, ret, DB_PARAMS(deployment_id));
}

Status db_exposure_forget(struct db_pool *p) {
    return db_once(p, SQL_EXPOSURE_FORGET, NULL, DB_PARAMS(DB_INT(EXPOSURE_KEEP_DAYS)));
}
