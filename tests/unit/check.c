/* How one answer of a machine check is judged: api.md, "A check". */
#include "base/clock.h"
#include "tests/support/suite.h"
#include "worker/prober.h"
#include <stdio.h>
#include <string.h>

struct check_case {
    const char *check;
    NetOutcome outcome;
    unsigned status;
    const char *body; /* NULL: none */
    int64_t took_ms;
    bool passes;
    const char *why;
};

static const struct check_case cases[] = {
    /* the status */
    {"{}", NET_ANSWERED, 200, "", 3, true, "status 200 in 3 ms"},
    {"{}", NET_ANSWERED, 200, NULL, 3, true, "status 200 in 3 ms"},
    {"{}", NET_ANSWERED, 204, "", 3, false, "status 204 instead of 200"},
    {"{}", NET_ANSWERED, 302, "", 3, false, "status 302 instead of 200"},
    {"{}", NET_ANSWERED, 500, "", 3, false, "status 500 instead of 200"},
    {"{\"status\": 204}", NET_ANSWERED, 204, "", 0, true, "status 204 in 0 ms"},
    {"{\"status\": 204}", NET_ANSWERED, 200, "", 0, false, "status 200 instead of 204"},
    {"{\"status\": 503}", NET_ANSWERED, 503, "", 0, true, "status 503 in 0 ms"},
    /* no answer is a failure, whatever the check wants */
    {"{}", NET_UNKNOWN, 0, NULL, 0, false, "no answer: it said nothing"},
    {"{}", NET_NOT_SENT, 0, NULL, 0, false, "no answer: it said nothing"},
    {"{}", NET_UNKNOWN, 200, "", 0, false, "no answer: it said nothing"},
    {"{\"status\": 0}", NET_UNKNOWN, 0, NULL, 0, false, "no answer: it said nothing"},
    /* the time */
    {"{\"max_ms\": 100}", NET_ANSWERED, 200, "", 100, true, "status 200 in 100 ms"},
    {"{\"max_ms\": 100}", NET_ANSWERED, 200, "", 101, false, "took 101 ms, at most 100 allowed"},
    {"{\"max_ms\": 100}", NET_ANSWERED, 500, "", 101, false, "status 500 instead of 200"},
    /* the body */
    {"{\"body_contains\": \"healthy\"}", NET_ANSWERED, 200, "is healthy!", 0, true,
     "status 200 in 0 ms"},
    {"{\"body_contains\": \"healthy\"}", NET_ANSWERED, 200, "is HEALTHY!", 0, false,
     "the body does not contain \"healthy\""},
    {"{\"body_contains\": \"healthy\"}", NET_ANSWERED, 200, "", 0, false,
     "the body does not contain \"healthy\""},
    {"{\"body_contains\": \"healthy\"}", NET_ANSWERED, 200, NULL, 0, false,
     "the body does not contain \"healthy\""},
    /* JSON pointers */
    {"{\"json\": {\"/status\": \"healthy\"}}", NET_ANSWERED, 200, "{\"status\": \"healthy\"}", 0,
     true, "status 200 in 0 ms"},
    {"{\"json\": {\"/status\": \"healthy\"}}", NET_ANSWERED, 200, "{\"status\": \"degraded\"}", 0,
     false, "/status is \"degraded\""},
    {"{\"json\": {\"/status\": \"healthy\"}}", NET_ANSWERED, 200, "{}", 0, false,
     "/status is absent"},
    {"{\"json\": {\"/status\": \"healthy\"}}", NET_ANSWERED, 200, "healthy", 0, false,
     "the answer is not JSON"},
    {"{\"json\": {\"/status\": \"healthy\"}}", NET_ANSWERED, 200, NULL, 0, false,
     "the answer is not JSON"},
    {"{\"json\": {\"/status\": \"healthy\"}}", NET_ANSWERED, 200, "{\"status\": \"healthy\"} x", 0,
     false, "the answer is not JSON"},
    {"{\"json\": {\"/db/0/up\": true}}", NET_ANSWERED, 200, "{\"db\": [{\"up\": true}]}", 0, true,
     "status 200 in 0 ms"},
    {"{\"json\": {\"/db/0/up\": true}}", NET_ANSWERED, 200, "{\"db\": [{\"up\": 1}]}", 0, false,
     "/db/0/up is 1"},
    {"{\"json\": {\"/db/1/up\": true}}", NET_ANSWERED, 200, "{\"db\": [{\"up\": true}]}", 0, false,
     "/db/1/up is absent"},
    {"{\"json\": {\"\": 5}}", NET_ANSWERED, 200, "5", 0, true, "status 200 in 0 ms"},
    {"{\"json\": {\"/a~1b\": 1}}", NET_ANSWERED, 200, "{\"a/b\": 1}", 0, true,
     "status 200 in 0 ms"},
    {"{\"json\": {\"/a\": null}}", NET_ANSWERED, 200, "{\"a\": null}", 0, true,
     "status 200 in 0 ms"},
    {"{\"json\": {\"/a\": null}}", NET_ANSWERED, 200, "{}", 0, false, "/a is absent"},
    {"{\"json\": {\"/a\": 1, \"/b\": 2}}", NET_ANSWERED, 200, "{\"a\": 1, \"b\": 3}", 0, false,
     "/b is 3"},
    {"{\"json\": {}}", NET_ANSWERED, 200, "no JSON", 0, true, "status 200 in 0 ms"},
};

START_TEST(check__is_judged_by_everything_that_it_names) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *check = json_parse(cases[i].check);
        struct net_response r = {.outcome = cases[i].outcome,
                                 .status = cases[i].status,
                                 .body = xstrdup(cases[i].body),
                                 .body_len = cases[i].body ? strlen(cases[i].body) : 0,
                                 .took_us = cases[i].took_ms * US_PER_MS,
                                 .error = "it said nothing"};
        char why[SEEN_TEXT];

        ck_assert_ptr_nonnull(check);
        ck_assert_msg(check_judge(check, &r, why, sizeof why) == cases[i].passes, "%zu: %s", i,
                      why);
        ck_assert_str_eq(why, cases[i].why);
        net_response_done(&r);
    }
}
END_TEST

START_TEST(check__says_why_in_the_room_there_is) {
    json_auto_t *check = json_pack("{s:{s:s}}", "json", "/a", "b");
    char body[2048], why[32];
    struct net_response r = {.outcome = NET_ANSWERED, .status = 200};

    memset(body, 'x', sizeof body);
    memcpy(body, "{\"a\": \"", 7);
    memcpy(body + sizeof body - 3, "\"}", 3);
    r.body = body;
    r.body_len = sizeof body - 1;
    ck_assert(!check_judge(check, &r, why, sizeof why));
    ck_assert_uint_eq(strlen(why), sizeof why - 1);
}
END_TEST

int main(void) {
    return RUN_SUITE("check", 10, check__is_judged_by_everything_that_it_names,
                     check__says_why_in_the_room_there_is);
}
