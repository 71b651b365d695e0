#include "db/checklist_template.h"

struct checklist_template_row checklist_template_row(const struct db_rows *rows, size_t i,
                                                     bool listed) {
    return (struct checklist_template_row){
        .name = db_text(rows, i, "name"),
        .groups = listed ? NULL : db_text(rows, i, "groups"),
        .created_by = db_text(rows, i, "created_by"),
        .version = db_int(rows, i, "version"),
        .created_us = db_time(rows, i, "created_at"),
        .built_in = db_bool(rows, i, "built_in"),
    };
}

Status db_checklist_template_get(struct db_pool *p, const char *name, int64_t version,
                                 struct db_rows **ret) {
    return db_once(p, SQL_CHECKLIST_TEMPLATE_GET, ret,
                   DB_PARAMS(name, version ? DB_INT(version) : NULL));
}

Status db_checklist_template_get_in(struct db_tx *tx, const char *name, struct db_rows **ret) {
    return db_query(tx, SQL_CHECKLIST_TEMPLATE_GET, ret, DB_PARAMS(name, NULL));
}

Status db_checklist_template_lock(struct db_tx *tx, const char *name, struct db_rows **ret) {
    return db_query(tx, SQL_CHECKLIST_TEMPLATE_LOCK, ret, DB_PARAMS(name));
}

Status db_checklist_template_add(struct db_tx *tx, const char *name, int64_t version,
                                 const char *groups, const char *created_by, struct db_rows **ret) {
    return db_query(tx, SQL_CHECKLIST_TEMPLATE_ADD, ret,
                    DB_PARAMS(name, DB_INT(version), groups, created_by));
}

Status db_checklist_template_list(struct db_pool *p, const char *after, int64_t limit,
                                  struct db_rows **ret) {
    return db_once(p, SQL_CHECKLIST_TEMPLATE_LIST, ret, DB_PARAMS(after, DB_INT(limit)));
}
