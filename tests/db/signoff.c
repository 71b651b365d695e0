/* What the database itself refuses of sign-offs, after the server: whose they are, what they are
 * about, and that they stay.  In which roles somebody may sign is the server's to know: a row says
 * who, never with which rights. */
#include "base/cleanup.h"
#include "base/status.h"
#include "tests/support/pg.h"
#include "tests/support/rows.h"
#include "tests/support/suite.h"
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ENVIRONMENT "0190a000-0000-7000-8000-0000000000e0"
#define ELSEWHERE   "0190a000-0000-7000-8000-0000000000e1"
#define RELEASE     "0190a000-0000-7000-8000-0000000000a0"
#define OTHER       "0190a000-0000-7000-8000-0000000000a1"
#define SUCCEEDED   "0190a000-0000-7000-8000-0000000000d0"
#define BACK        "0190a000-0000-7000-8000-0000000000d1" /* a rollback that succeeded */
#define WAITING     "0190a000-0000-7000-8000-0000000000d2"
#define NOWHERE     "0190a000-0000-7000-8000-0000000000d9"

#define BY(kind, subject)                                                                          \
    "{\"kind\": \"" kind "\", \"subject\": \"" subject "\", \"issuer\": \"i\"}"
#define NOT_ALLOWED "42501"
#define NOT_THEIRS  "SL002"
#define TWICE       "23505"
#define UNKNOWN     "23514"

static char *url;
static PGconn *c;

/* maker registered the release, asker asked for what succeeded, waiter for what waits. */
static void setup(void) {
    url = pg_database();
    free(pg_sql(url, ROWS_INOPNC(ENVIRONMENT, RELEASE)
                         ROWS_DEPLOYMENTS(ENVIRONMENT, RELEASE,
                                          "('" SUCCEEDED "', 'succeeded'), ('" BACK
                                          "', 'succeeded'), ('" WAITING "', 'blocked')")));
    free(pg_sql(url,
                "ALTER TABLE release DISABLE TRIGGER USER; ALTER TABLE deployment DISABLE TRIGGER "
                "USER; UPDATE release SET created_by = '%s'; UPDATE deployment SET requested_by = "
                "'%s', kind = CASE id WHEN '" BACK "' THEN 'rollback' ELSE kind END; "
                "UPDATE deployment SET requested_by = '%s' WHERE id = '" WAITING "';"
                "ALTER TABLE release ENABLE TRIGGER USER; ALTER TABLE deployment ENABLE TRIGGER "
                "USER; INSERT INTO release (id, app, version, version_key, precedence, image, "
                "content_digest, created_by) VALUES ('" OTHER
                "', 'inopnc', 'v2.0.0', '2.0.0', '2', 'i', '', '{}')",
                BY("ci", "maker"), BY("user", "asker"), BY("user", "waiter")));
    c = PQconnectdb(url);
    ck_assert_msg(PQstatus(c) == CONNECTION_OK, "%s", PQerrorMessage(c));
}

static void teardown(void) {
    PQfinish(c);
    free(url);
}

/* What is not said is that of a sign-off which the database takes: ann's final approval of what
 * succeeded. */
struct row {
    const char *by, *role, *decision, *deployment, *environment, *release, *digest;
    bool before; /* of the release in the environment, of no deployment */
};

static const char * or (const char *said, const char *otherwise) {
    return said ? said : otherwise;
}

/* "" when it was done, else its SQLSTATE; what it did is taken back unless it is kept. */
static const char *attempt(const char *sql, bool keep, char state[6]) {
    PGresult *r;
    const char *said;

    PQclear(PQexec(c, "BEGIN"));
    r = PQexec(c, sql);
    said = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    snprintf(state, 6, "%s", said ? said : "");
    PQclear(r);
    PQclear(PQexec(c, keep ? "COMMIT" : "ROLLBACK"));
    return state;
}

static const char *sign(const struct row *row, bool keep, char state[6]) {
    _cleanup_free_ char *sql = xasprintf(
        "INSERT INTO signoff (id, release_id, environment_id, deployment_id, role, decision, by, "
        "content_digest, checklist) VALUES (gen_random_uuid(), '%s', '%s', nullif('%s', "
        "'')::uuid, '%s', '%s', '%s', '%s', '')",
        or (row->release, RELEASE), or (row->environment, ENVIRONMENT),
        row->before ? "" : or (row->deployment, SUCCEEDED), or (row->role, "final"),
        or (row->decision, "approve"), or (row->by, BY("user", "ann")), or (row->digest, ""));

    return attempt(sql, keep, state);
}

static void expect(const struct row *rows, const char *const *states, size_t n) {
    char state[6];

    for (size_t i = 0; i < n; i++)
        ck_assert_msg(strcmp(sign(&rows[i], false, state), states[i]) == 0,
                      "%zu: %s %s of %s: \"%s\", not \"%s\"", i, or (rows[i].by, "ann"),
                      or (rows[i].decision, "approves"),
                      rows[i].before ? "the release" : "the deployment", state, states[i]);
}

START_TEST(signoff__only_people_accept) {
    static const char *const actors[] = {BY("ci", "x"),
                                         BY("bot", "x"),
                                         BY("service", "x"),
                                         BY("worker", "x"),
                                         BY("User", "ann"),
                                         BY("", "ann"),
                                         "{}",
                                         "null",
                                         "\"user\"",
                                         "[\"user\"]",
                                         "{\"kind\": null}",
                                         "{\"kind\": [\"user\"]}",
                                         "{\"by\": {\"kind\": \"user\"}}"};
    static const char *const decisions[] = {"approve", "reject"};
    char state[6];

    for (size_t i = 0; i < sizeof actors / sizeof *actors; i++)
        for (size_t d = 0; d < 2; d++)
            for (size_t after = 0; after < 2; after++) {
                const struct row row = {
                    .by = actors[i], .decision = decisions[d], .before = !after};

                ck_assert_msg(strcmp(sign(&row, false, state), NOT_THEIRS) == 0, "%s: \"%s\"",
                              actors[i], state);
            }
}
END_TEST

START_TEST(signoff__nobody_approves_what_they_made_or_asked_for) {
    static const struct row rows[] = {
        {0},
        {.by = BY("user", "maker")},
        {.by = BY("user", "asker")},
        {.by = BY("user", "waiter")}, /* asked for another deployment */
        {.by = BY("user", "maker"), .decision = "reject"},
        {.by = BY("user", "asker"), .decision = "reject"},
        {.by = "{\"kind\": \"user\", \"subject\": \"asker\", \"issuer\": \"elsewhere\"}"},
        {.before = true},
        {.before = true, .by = BY("user", "maker")},
        {.before = true, .by = BY("user", "waiter")},
        {.before = true, .by = BY("user", "waiter"), .decision = "reject"},
        {.before = true, .by = BY("user", "asker")}, /* of what is over */
    };
    static const char *const states[] = {"", NOT_THEIRS, NOT_THEIRS, "",         "", "",
                                         "", "",         NOT_THEIRS, NOT_THEIRS, "", ""};

    expect(rows, states, sizeof rows / sizeof *rows);
}
END_TEST

START_TEST(signoff__with_self_approval_they_may) {
    static const struct row rows[] = {
        {.by = BY("user", "maker")},
        {.by = BY("user", "asker")},
        {.before = true, .by = BY("user", "waiter")},
        {.by = BY("ci", "maker")},
    };
    static const char *const states[] = {"", "", "", NOT_THEIRS};

    free(pg_sql(url, "INSERT INTO environment_gate (environment_id, spec) VALUES ('" ENVIRONMENT
                     "', '{\"self_approval\": true}')"));
    expect(rows, states, sizeof rows / sizeof *rows);
}
END_TEST

START_TEST(signoff__is_about_a_deployment_that_succeeded_and_its_release) {
    static const struct row rows[] = {
        {.deployment = WAITING, .decision = "reject"},
        {.deployment = WAITING},
        {.deployment = BACK},
        {.deployment = NOWHERE},
        {.release = OTHER},
        {.environment = ELSEWHERE},
        {.digest = "other"},
        {.digest = "other", .decision = "reject"},
        {.digest = "other", .before = true},
        {.role = "boss"},
        {.role = ""},
        {.decision = "maybe"},
    };
    static const char *const states[] = {NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED,
                                         NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED,
                                         NOT_ALLOWED, UNKNOWN,     UNKNOWN,     UNKNOWN};

    expect(rows, states, sizeof rows / sizeof *rows);
}
END_TEST

/* Every state but that one; a final one is reached from waiting. */
START_TEST(signoff__no_other_state_is_accepted) {
    static const char *const states[] = {"scheduled",   "queued",  "running", "paused",
                                         "undoing",     "stuck",   "failed",  "aborted",
                                         "rolled_back", "canceled"};
    char state[6];

    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        const struct row row = {.deployment = WAITING};

        free(pg_sql(url,
                    "ALTER TABLE deployment DISABLE TRIGGER USER; UPDATE deployment SET state = "
                    "'%s' WHERE id = '" WAITING "'",
                    states[i]));
        ck_assert_msg(strcmp(sign(&row, false, state), NOT_ALLOWED) == 0, "%s: \"%s\"", states[i],
                      state);
    }
}
END_TEST

START_TEST(signoff__one_person_counts_once_in_whatever_role) {
    static const struct row first = {0}, reject = {.decision = "reject"},
                            other_role = {.role = "qa"}, before = {.before = true},
                            other_person = {.by = BY("user", "bob")},
                            other_issuer = {.by = "{\"kind\": \"user\", \"subject\": \"ann\", "
                                                  "\"issuer\": \"elsewhere\"}"};
    char state[6];

    ck_assert_str_eq(sign(&first, true, state), "");
    ck_assert_str_eq(sign(&first, false, state), TWICE);
    ck_assert_str_eq(sign(&reject, false, state), TWICE);
    ck_assert_str_eq(sign(&other_role, false, state), TWICE);
    ck_assert_str_eq(sign(&before, true, state), ""); /* of the release: something else */
    ck_assert_str_eq(sign(&before, false, state), TWICE);
    ck_assert_str_eq(sign(&other_person, false, state), "");
    ck_assert_str_eq(sign(&other_issuer, false, state), "");
    free(pg_sql(url, "UPDATE signoff SET withdrawn_at = clock_timestamp(), withdrawn_by = '{}'"));
    ck_assert_str_eq(sign(&other_role, true, state), "");
}
END_TEST

START_TEST(signoff__never_changes_but_that_it_is_withdrawn_once) {
    static const struct row first = {0};
    static const char *const never[] = {
        "UPDATE signoff SET decision = 'reject'",
        "UPDATE signoff SET role = 'qa'",
        "UPDATE signoff SET by = '" BY("user", "bob") "'",
        "UPDATE signoff SET note = 'n'",
        "UPDATE signoff SET content_digest = 'other'",
        "UPDATE signoff SET checklist = 'b@2'",
        "UPDATE signoff SET deployment_id = NULL",
        "UPDATE signoff SET created_at = '2020-01-01'",
        "UPDATE signoff SET withdrawn_at = clock_timestamp(), decision = 'reject'",
        "DELETE FROM signoff",
        "TRUNCATE signoff",
    };
    static const char *const twice[] = {
        "UPDATE signoff SET withdrawn_at = clock_timestamp()",
        "UPDATE signoff SET withdrawn_at = NULL",
        "UPDATE signoff SET withdrawn_by = '{}'",
    };
    char state[6];

    ck_assert_str_eq(sign(&first, true, state), "");
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        ck_assert_msg(strcmp(attempt(never[i], false, state), NOT_ALLOWED) == 0, "%s: \"%s\"",
                      never[i], state);
    ck_assert_str_eq(attempt("UPDATE signoff SET withdrawn_at = clock_timestamp(), withdrawn_by = "
                             "'" BY("user", "ann") "'",
                             true, state),
                     "");
    for (size_t i = 0; i < sizeof twice / sizeof *twice; i++)
        ck_assert_msg(strcmp(attempt(twice[i], false, state), NOT_ALLOWED) == 0, "%s: \"%s\"",
                      twice[i], state);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH(
        "signoff", 30, setup, teardown, signoff__only_people_accept,
        signoff__nobody_approves_what_they_made_or_asked_for, signoff__with_self_approval_they_may,
        signoff__is_about_a_deployment_that_succeeded_and_its_release,
        signoff__no_other_state_is_accepted, signoff__one_person_counts_once_in_whatever_role,
        signoff__never_changes_but_that_it_is_withdrawn_once);
}
