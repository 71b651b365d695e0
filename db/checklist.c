#include "db/checklist.h"
#include "base/ids.h"

Status db_checklist_use(struct db_tx *tx, const struct checklist_of *of, struct db_rows **ret) {
    char id[UUID_TEXT];

    return db_query(
        tx, SQL_CHECKLIST_USE, ret,
        DB_PARAMS(uuid_v7(id), of->kind, of->environment_id, of->release_id, of->deployment_id));
}

Status db_checklist_get(struct db_pool *p, const struct checklist_of *of, struct db_rows **ret) {
    return db_once(p, SQL_CHECKLIST_GET, ret,
                   DB_PARAMS(of->kind, of->environment_id, of->release_id, of->deployment_id));
}

Status db_checklist_get_in(struct db_tx *tx, const struct checklist_of *of, struct db_rows **ret) {
    return db_query(tx, SQL_CHECKLIST_GET, ret,
                    DB_PARAMS(of->kind, of->environment_id, of->release_id, of->deployment_id));
}

Status db_checklist_say(struct db_tx *tx, const struct checklist_of *of,
                        const struct item_fact *in) {
    char id[UUID_TEXT];

    return db_query(tx, SQL_CHECKLIST_SAY, NULL,
                    DB_PARAMS(uuid_v7(id), of->kind, of->environment_id, of->release_id,
                              of->deployment_id, in->item, in->state, in->url, in->summary,
                              in->note, in->person, in->reason, in->role,
                              in->expires_us ? DB_TIMESTAMP(in->expires_us) : NULL, in->by));
}
