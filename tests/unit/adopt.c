/* tests/unit/adopt.c: what undo and rollback do about a past that the database has lost. */
#include "rollout/documents.h"
#include "rollout/step.h"
#include "tests/support/deployed.h"
#include "tests/support/suite.h"
#include <string.h>

struct world {
    json_t *json;
    struct plan plan;
    struct journal journal;
    struct decision decision;
};

static void start(struct world *w) {
    *w = (struct world){.json = deployed()};
    ck_assert(plan_read(w->json, &w->plan));
}

static void end(struct world *w) {
    json_decref(w->decision.write);
    journal_clear(&w->journal);
    json_decref(w->json);
}

static const struct decision *decide(struct world *w, const struct step_row *row) {
    const struct step_ask ask = {.plan = &w->plan, .journal = &w->journal};

    json_decref(w->decision.write);
    w->decision = (struct decision){0};
    row->decide(&ask, &w->decision);
    return &w->decision;
}

/* The last decision was a write to that object; what came of it. */
static void wrote(struct world *w, const char *job, const char *object, IntentResult result) {
    const struct decision *d = &w->decision;

    ck_assert_int_eq(d->kind, DECIDE_WRITE);
    ck_assert_str_eq(d->object_name, object);
    w->journal.intents =
        xrealloc(w->journal.intents, (w->journal.count + 1) * sizeof *w->journal.intents);
    w->journal.intents[w->journal.count++] = (struct intent){.job = xstrdup(job),
                                                             .step = xstrdup("x"),
                                                             .purpose = xstrdup(d->purpose),
                                                             .kind = xstrdup(d->object_kind),
                                                             .name = xstrdup(object),
                                                             .result = result};
}

/* Law 2: after what confirms, and for a while only. */
static const struct step_row *row_after_traffic(const struct step_row *rows, size_t n,
                                                const char *name) {
    bool confirmed = false;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            ck_assert(confirmed);
            ck_assert(rows[i].look == LOOK_BLIND);
            ck_assert_int_gt(rows[i].patience_ms, 0);
            return &rows[i];
        }
        confirmed = confirmed || rows[i].confirms;
    }
    ck_abort_msg("no step %s", name);
    return NULL;
}

static void expect_marks(const char *job, const struct step_row *row) {
    struct world w;
    const struct decision *d;

    start(&w);
    ck_assert_int_eq(decide(&w, row)->kind, DECIDE_SKIP);
    json_object_set_new(w.json, "history_lost", json_true());
    json_object_set_new(w.json, "objects",
                        json_parse("[{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\","
                                   " \"metadata\": {\"name\": \"c\"}}]"));
    for (int i = 0; i < COLORS; i++) {
        d = decide(&w, row);
        ck_assert_uint_eq(json_object_size(json_object_get(d->write, "body")), 0);
        wrote(&w, job, w.plan.colors[i].workload, INTENT_DONE);
    }
    d = decide(&w, row);
    ck_assert_str_eq(json_str(d->write, "verb", ""), WRITE_ADOPT);
    wrote(&w, job, "c", INTENT_REFUSED);
    d = decide(&w, row);
    ck_assert_int_eq(d->kind, DECIDE_DONE);
    ck_assert_ptr_nonnull(strstr(d->detail, "1 of 3 objects could not be written"));
    w.journal.intents[2].result = INTENT_DONE;
    ck_assert_str_eq(decide(&w, row)->detail, "the marks on all objects are known again");
    end(&w);
}

START_TEST(law5__undo_of_a_lost_past_marks_workloads_and_documents) {
    size_t n;
    const struct step_row *rows = undo_steps(&n);

    expect_marks("undo", row_after_traffic(rows, n, "undo-adopt"));
}
END_TEST

START_TEST(law5__a_rollback_of_a_lost_past_marks_workloads_and_documents) {
    size_t n;
    const struct step_row *rows = rollback_steps(&n);

    expect_marks("rollback", row_after_traffic(rows, n, "adopt"));
}
END_TEST

START_TEST(documents__name_the_objects_of_both_colors) {
    json_auto_t *plan = deployed(), *wanted = NULL, *objects = NULL;
    json_auto_t *documents = json_parse(
        "[{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\","
        "  \"metadata\": {\"name\": \"inopnc-${COLOR}\"}, \"spec\": {}},"
        " {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"shared\"}},"
        " {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\","
        "  \"metadata\": {\"name\": \"${COLOR}-${VERSION}\"}, \"data\": {\"a\": \"b\"}}]");
    const struct document_limits limits = {json_object_get(plan, "spec"), COLOR_GREEN, "v1.2.3",
                                           "image"};

    objects = documents_objects(documents, &limits);
    wanted = json_parse("[{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\","
                        "  \"metadata\": {\"name\": \"shared\"}},"
                        " {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\","
                        "  \"metadata\": {\"name\": \"blue-v1.2.3\"}},"
                        " {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\","
                        "  \"metadata\": {\"name\": \"green-v1.2.3\"}}]");
    ck_assert(json_equal(objects, wanted));
}
END_TEST

int main(void) {
    return RUN_SUITE("adopt", 10, law5__undo_of_a_lost_past_marks_workloads_and_documents,
                     law5__a_rollback_of_a_lost_past_marks_workloads_and_documents,
                     documents__name_the_objects_of_both_colors);
}
