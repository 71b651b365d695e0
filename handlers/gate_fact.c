#include "handlers/gate_fact.h"
#include "base/cleanup.h"
#include "db/gate.h"
#include "handlers/answer.h"
#include "worker/gates.h"

const char *gate_fact_environment(const struct gate_fact *f, size_t i) {
    return i < db_rows_count(f->environments) ? db_text(f->environments, i, "id") : NULL;
}

Status gate_fact_begin(struct db_tx *tx, struct gate_fact *f) {
    Status s;

    gate_fact_done(f);
    s = db_gate_lock(tx, NULL, f->app, f->environment, &f->environments);
    if (s == STATUS_OK && f->environment && db_rows_count(f->environments) == 0)
        return environment_missing(f->r, f->app, f->environment);
    if (s == STATUS_OK)
        s = db_release_get_in(tx, f->app, f->version_key, &f->rows);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(f->rows) == 0)
        return release_missing(f->r, f->app, f->version);
    f->release = release_row(f->rows, 0, false);
    return gates_first(tx, f->app, f->environment, f->release.id, f->version_key);
}

Status gate_fact_end(struct db_tx *tx, const struct gate_fact *f, json_t *body) {
    const char *too_late = NULL;
    bool open = true;

    for (size_t i = 0; i < db_rows_count(f->environments); i++) {
        const struct gate_change change = {
            .environment_id = gate_fact_environment(f, i),
            .release_id = f->release.id,
            .version_key = f->release.version_key,
            .by = {f->q->principal->actor_json, f->q->remote},
            .arena = f->q->arena,
        };
        struct gate_effect effect = {0};
        Status s = gates_changed(tx, &change, &effect);

        if (s != STATUS_OK)
            return s;
        open = open && effect.open;
        if (!effect.effective)
            too_late = effect.deployment_id;
    }
    json_object_set_new(body, "open", json_boolean(open));
    json_object_set_new(body, "effective", json_boolean(!too_late));
    if (too_late)
        json_set_str(body, "deployment", too_late);
    return STATUS_OK;
}

void gate_fact_announce(const struct gate_fact *f) {
    for (size_t i = 0; i < db_rows_count(f->environments); i++)
        announce(f->q, gate_fact_environment(f, i));
}

void gate_fact_done(struct gate_fact *f) {
    if (!f)
        return;
    db_rows_free(TAKE_PTR(f->environments));
    db_rows_free(TAKE_PTR(f->rows));
}
