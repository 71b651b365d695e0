/* When a person's decision counts, and who may not approve. */
#include "domain/signoff.h"
#include "base/cleanup.h"
#include "tests/support/suite.h"
#include "tests/support/with.h"
#include <string.h>

static const char authors_text[] =
    "[{\"subject\":\"ann\",\"issuer\":\"i\",\"did\":\"created the release\"},"
    "{\"subject\":\"bob\",\"issuer\":\"i\",\"did\":\"asked for the deployment\"},"
    "{\"subject\":\"ann\",\"issuer\":\"i\",\"did\":\"asked for the deployment\"},"
    "{\"subject\":\"old\",\"issuer\":\"i\"},"
    "{\"subject\":null,\"issuer\":\"i\",\"did\":\"x\"},"
    "{\"subject\":\"nowhere\",\"did\":\"x\"},"
    "null]";

START_TEST(signoff__an_author_is_named_with_what_they_did) {
    static const struct {
        const char *subject, *issuer, *did; /* did NULL: may approve */
    } cases[] = {
        {"ann", "i", "created the release"}, /* the first that is told */
        {"bob", "i", "asked for the deployment"},
        {"old", "i", "?"},
        {"cat", "i", NULL},
        {"ann", "elsewhere", NULL}, /* another person of the same name */
        {"ANN", "i", NULL},
        {"an", "i", NULL},
        {"", "i", NULL},
        {"ann", "", NULL},
        {NULL, "i", NULL},
        {"ann", NULL, NULL},
        {NULL, NULL, NULL},
        {"nowhere", NULL, NULL},
    };
    json_auto_t *authors = json_parse(authors_text);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *did = signoff_author(authors, cases[i].subject, cases[i].issuer);

        ck_assert_msg(did ? cases[i].did && !strcmp(did, cases[i].did) : !cases[i].did, "%zu: %s",
                      i, did ? did : "nothing");
        ck_assert_ptr_null(signoff_author(NULL, cases[i].subject, cases[i].issuer));
    }
}
END_TEST

/* A sign-off that counts; each case changes one place of it. */
static const char counting[] =
    "{\"decision\":\"approve\",\"subject\":\"cat\",\"issuer\":\"i\",\"content_digest\":\"d\","
    "\"checklist\":\"b@2\"}";

START_TEST(signoff__is_void_when_what_was_looked_at_is_another_thing) {
    static const struct {
        const char *pointer, *value, *why; /* why NULL: it counts */
    } cases[] = {
        {"/decision", "\"approve\"", NULL},
        {"/decision", "\"reject\"", NULL},
        {"/content_digest", "\"D\"", "content-changed"},
        {"/content_digest", "\"d2\"", "content-changed"},
        {"/content_digest", "\"\"", "content-changed"},
        {"/content_digest", "null", "content-changed"},
        {"/checklist", "\"b@1\"", "checklist-changed"},
        {"/checklist", "\"b@22\"", "checklist-changed"},
        {"/checklist", "\"\"", "checklist-changed"},
        {"/subject", "\"ann\"", "self-approval"},
        {"/subject", "\"bob\"", "self-approval"},
        {"/issuer", "\"elsewhere\"", NULL},
    };
    json_auto_t *authors = json_parse(authors_text);
    const struct signoff_about about = {
        .content_digest = "d", .checklist = "b@2", .authors = authors};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *signoff = json_with(counting, cases[i].pointer, cases[i].value);
        const char *why = signoff_void(signoff, &about);

        ck_assert_msg(why ? cases[i].why && !strcmp(why, cases[i].why) : !cases[i].why,
                      "%s = %s: %s", cases[i].pointer, cases[i].value, why ? why : "counts");
    }
}
END_TEST

START_TEST(signoff__a_reject_counts_whoever_gives_it) {
    json_auto_t *authors = json_parse(authors_text);
    json_auto_t *own = json_with(counting, "/subject", "\"ann\"");
    const struct signoff_about about = {
        .content_digest = "d", .checklist = "b@2", .authors = authors};
    const struct signoff_about self_approval = {.content_digest = "d", .checklist = "b@2"};
    const struct signoff_about changed = {
        .content_digest = "d2", .checklist = "b@2", .authors = authors};

    ck_assert_ptr_null(signoff_void(own, &self_approval));
    ck_assert_str_eq(signoff_void(own, &about), "self-approval");
    json_object_set_new(own, "decision", json_string("reject"));
    ck_assert_ptr_null(signoff_void(own, &about));
    ck_assert_str_eq(signoff_void(own, &changed), "content-changed");
}
END_TEST

/* Law 3: what is unknown is never taken for the same. */
START_TEST(signoff__unknown_is_not_the_same) {
    json_auto_t *signoff = json_parse(counting), *nothing = json_object();
    const struct signoff_about no_release = {.checklist = "b@2"};
    const struct signoff_about no_checklist = {.content_digest = "d"};
    const struct signoff_about none_asked = {.content_digest = "d", .checklist = ""};

    ck_assert_str_eq(signoff_void(signoff, &no_release), "content-changed");
    ck_assert_str_eq(signoff_void(signoff, &no_checklist), "checklist-changed");
    ck_assert_str_eq(signoff_void(signoff, &none_asked), "checklist-changed");
    ck_assert_str_eq(signoff_void(nothing, &no_release), "content-changed");
    json_object_set_new(signoff, "checklist", json_string(""));
    ck_assert_ptr_null(signoff_void(signoff, &none_asked));
    json_object_del(signoff, "checklist");
    ck_assert_str_eq(signoff_void(signoff, &none_asked), "checklist-changed");
}
END_TEST

int main(void) {
    return RUN_SUITE("signoff", 10, signoff__an_author_is_named_with_what_they_did,
                     signoff__is_void_when_what_was_looked_at_is_another_thing,
                     signoff__a_reject_counts_whoever_gives_it, signoff__unknown_is_not_the_same);
}
