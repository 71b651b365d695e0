/* Whether a release may go out: a table of facts, and what holds for any. */
#include "domain/gate.h"
#include "base/clock.h"
#include "tests/support/suite.h"
#include "tests/support/with.h"
#include <stdio.h>
#include <string.h>

/* Facts under which the gate is open at 1000 s; each case changes one place of them. */
static const char ready[] =
    "{\"environment\":{\"id\":\"e\",\"app\":\"inopnc\",\"name\":\"production\"},"
    "\"gates\":{\"checklist\":{\"before\":\"b\"},\"approvals\":[{\"role\":\"qa\",\"count\":1}],"
    "\"previous_environment\":\"staging\",\"evidence_max_age_s\":500},\"version\":\"1.2.3\","
    "\"release\":{\"id\":\"r\",\"version\":\"v1.2.3\",\"content_digest\":\"d\",\"yanked\":false,"
    "\"created_by\":{\"issuer\":\"i\",\"subject\":\"ci\"}},"
    "\"requested_by\":{\"issuer\":\"i\",\"subject\":\"rel\"},\"active\":null,"
    "\"checklist\":{\"name\":\"b@2\",\"items\":["
    "{\"key\":\"tests\",\"title\":\"All tests passing\",\"kind\":\"evidence\",\"required\":true,"
    "\"fact\":{\"state\":\"passed\",\"observed_us\":900000000,\"expires_us\":null,\"evidence\":"
    "true},"
    "\"waiver\":null},"
    "{\"key\":\"plan\",\"title\":\"Rollback plan confirmed\",\"kind\":\"manual\",\"required\":true,"
    "\"fact\":{\"state\":\"passed\",\"observed_us\":1,\"expires_us\":null,\"evidence\":false},"
    "\"waiver\":null}]},"
    "\"signoffs\":[{\"id\":\"s\",\"role\":\"qa\",\"decision\":\"approve\",\"issuer\":\"i\","
    "\"subject\":\"ann\",\"content_digest\":\"d\",\"checklist\":\"b@2\",\"note\":null}],"
    "\"freezes\":[{\"id\":\"f\",\"reason\":\"holidays\",\"by\":\"ops\",\"let_running_finish\":true,"
    "\"windows\":[[2000000000,3000000000],[3000000000,4000000000]]}],"
    "\"break_glass_us\":null,\"previous\":{\"environment\":\"staging\",\"deployment\":\"p\"},"
    "\"unaccepted\":null}";

#define NOW 1000
START_TEST(gate__each_fact_closes_it) {
    static const struct {
        const char *pointer, *value;
        int64_t at_s;
        GateWhen when;
        const char *code; /* of the first blocker; NULL: open */
        int64_t opens_s, next_s;
    } cases[] = {
        {"/version", "\"1.2.3\"", NOW, GATE_START, NULL, 0, 1400},
        {"/release", "null", NOW, GATE_START, "release-missing", 0, 1400},
        {"/release/yanked", "true", NOW, GATE_START, "release-yanked", 0, 1400},
        {"/active", "\"x\"", NOW, GATE_ASKED, "environment-busy", 0, 1400},
        {"/active", "\"x\"", NOW, GATE_START, NULL, 0, 1400},
        {"/previous", "null", NOW, GATE_START, "not-deployed-there", 0, 1400},
        {"/unaccepted", "{\"deployment\":\"x\",\"acceptance\":\"pending\"}", NOW, GATE_START,
         "not-accepted", 0, 1400},
        {"/checklist", "null", NOW, GATE_START, "template-missing", 0, 2000},
        {"/checklist/items/0/fact", "null", NOW, GATE_START, "item-open", 0, 2000},
        {"/checklist/items/0/fact/state", "\"failed\"", NOW, GATE_START, "item-failed", 0, 2000},
        {"/checklist/items/0/fact/state", "\"failed\"", NOW, GATE_CUTOVER, "item-failed", 0, 2000},
        {"/checklist/items/0/fact/observed_us", "400000000", NOW, GATE_START, "item-expired", 0,
         2000},
        {"/checklist/items/0/fact/expires_us", "1000000000", NOW, GATE_START, "item-expired", 0,
         2000},
        {"/checklist/items/0/required", "false", NOW, GATE_START, NULL, 0, 1400},
        {"/signoffs", "null", NOW, GATE_START, "approval-missing", 0, 1400},
        {"/signoffs/0/decision", "\"reject\"", NOW, GATE_START, "rejected", 0, 1400},
        {"/signoffs/0/content_digest", "\"other\"", NOW, GATE_START, "approval-missing", 0, 1400},
        {"/signoffs/0/checklist", "\"b@1\"", NOW, GATE_START, "approval-missing", 0, 1400},
        {"/signoffs/0/subject", "\"ci\"", NOW, GATE_START, "approval-missing", 0, 1400},
        {"/signoffs/0/subject", "\"rel\"", NOW, GATE_CUTOVER, "approval-missing", 0, 1400},
        {"/gates/self_approval", "true", NOW, GATE_START, NULL, 0, 1400},
        {"/gates/evidence_max_age_s", "0", 2500, GATE_START, "frozen", 4000, 3000},
        {"/gates/evidence_max_age_s", "0", 2500, GATE_CUTOVER, NULL, 0, 3000},
        {"/gates/evidence_max_age_s", "0", 4000, GATE_START, NULL, 0, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *facts = json_with(ready, cases[i].pointer, cases[i].value);
        struct gate_verdict v;
        const char *code;

        gate_evaluate(facts, cases[i].at_s * US_PER_S, cases[i].when, &v);
        code = json_str(json_array_get(v.blockers, 0), "code", NULL);
        ck_assert_msg(
            v.open == !cases[i].code && v.open == !code && (!code || !strcmp(code, cases[i].code)),
            "%zu: %s = %s: %s", i, cases[i].pointer, cases[i].value, code ? code : "open");
        ck_assert_msg(v.opens_us == cases[i].opens_s * US_PER_S, "%zu: opens at %lld", i,
                      (long long)v.opens_us);
        ck_assert_msg(v.next_us == cases[i].next_s * US_PER_S, "%zu: next at %lld", i,
                      (long long)v.next_us);
        gate_verdict_done(&v);
    }
}
END_TEST

START_TEST(gate__a_waiver_counts_until_it_expires) {
    json_auto_t *facts = json_with(ready, "/checklist/items/0/fact/state", "\"failed\"");
    json_t *item = json_pointer(facts, "/checklist/items/0");
    int64_t until;

    json_object_set_new(item, "waiver", json_pack("{s:I}", "expires_us", (json_int_t)US_PER_S));
    ck_assert_int_eq(gate_item_state(item, 0, US_PER_S - 1, &until), ITEM_WAIVED);
    ck_assert_int_eq(until, US_PER_S);
    ck_assert_int_eq(gate_item_state(item, 0, US_PER_S, &until), ITEM_FAILED);
    ck_assert_int_eq(until, 0);
}
END_TEST

/* Whoever is refused is told whose approval does not count, and who can help. */
START_TEST(gate__a_blocker_says_who_and_why) {
    static const struct {
        const char *pointer, *value, *why, *who; /* who: the first */
    } cases[] = {
        {"/signoffs/0/subject", "\"ci\"", "that of ci does not count: who creates a release",
         "approver:qa"},
        {"/signoffs/0/subject", "\"rel\"", "that of rel does not count: who asks for a deployment",
         "approver:qa"},
        {"/signoffs/0/checklist", "\"b@1\"", "the checklist has changed", "approver:qa"},
        {"/signoffs", "null", "0 of 1 approvals of qa are there.", "approver:qa"},
        {"/signoffs/0",
         "{\"role\":\"qa\",\"decision\":\"reject\",\"subject\":\"eva\",\"content_digest\":\"d\","
         "\"checklist\":\"b@1\"}",
         "Rejected by eva (qa).", "eva"},
        {"/unaccepted",
         "{\"version\":\"v1\",\"acceptance\":\"pending\",\"missing\":[\"support\",\"final\"]}",
         "v1 serves, and its acceptance is pending: accept it", "approver:support"},
        {"/unaccepted",
         "{\"version\":\"v1\",\"acceptance\":\"rejected\",\"rejected_by\":[\"pia\"],"
         "\"missing\":[\"final\"]}",
         "withdraw the reject or roll it back", "pia"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *facts = json_with(ready, cases[i].pointer, cases[i].value);
        const json_t *first;
        struct gate_verdict v;

        gate_evaluate(facts, NOW * US_PER_S, GATE_CUTOVER, &v);
        first = json_array_get(v.blockers, 0);
        ck_assert_msg(strstr(json_str(first, "why", ""), cases[i].why) != NULL, "%zu: %s", i,
                      json_str(first, "why", "open"));
        ck_assert_str_eq(json_string_value(json_array_get(json_object_get(first, "who"), 0)),
                         cases[i].who);
        gate_verdict_done(&v);
    }
}
END_TEST

/* Time alone opens it only at an opens_at that it named, and changes nothing before next_us. */
START_TEST(gate__time_alone_does_only_what_was_said) {
    json_auto_t *facts = json_with(ready, "/gates/evidence_max_age_s", "0");
    json_t *freezes = json_object_get(facts, "freezes");
    unsigned seed = 7;

    for (int round = 0; round < 300; round++) {
        bool was_open = true;
        int64_t named = 0, quiet = 0;

        json_array_clear(freezes);
        for (int f = 0; f < 3; f++) {
            json_t *windows = json_array();

            for (int w = 0; w < 3; w++) {
                int64_t from = (int64_t)(rand_r(&seed) % 60), to = from + 1 + rand_r(&seed) % 20;

                json_array_append_new(windows,
                                      json_pack("[I,I]", (json_int_t)from, (json_int_t)to));
            }
            json_array_append_new(freezes, json_pack("{s:s, s:o}", "id", "f", "windows", windows));
        }
        for (int64_t now = 0; now < 100; now++) {
            struct gate_verdict v;

            gate_evaluate(facts, now, GATE_START, &v);
            ck_assert_msg(now == 0 || v.open == was_open || !quiet || now >= quiet,
                          "round %d: changed at %lld, before %lld", round, (long long)now,
                          (long long)quiet);
            ck_assert_msg(!v.open || was_open || now == named, "round %d: opened at %lld, not %lld",
                          round, (long long)now, (long long)named);
            if (now == 0 || v.open != was_open || now >= quiet)
                quiet = v.next_us;
            was_open = v.open;
            named = v.opens_us;
            gate_verdict_done(&v);
        }
    }
}
END_TEST

/* Law 3: what is unknown never opens it: facts of which anything is missing. */
START_TEST(law3__nothing_known_is_closed) {
    static const char *const needed[] = {"release", "previous", "checklist", "signoffs"};

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        json_auto_t *facts = json_parse(ready);
        struct gate_verdict v;

        json_object_del(facts, needed[i]);
        gate_evaluate(facts, NOW * US_PER_S, GATE_CUTOVER, &v);
        ck_assert_msg(!v.open && !v.opens_us, "without %s", needed[i]);
        gate_verdict_done(&v);
    }
}
END_TEST

/* What people wrote comes whole, in whatever language. */
START_TEST(gate__long_reasons_are_not_cut) {
    json_auto_t *facts = json_with(ready, "/gates/evidence_max_age_s", "0");
    json_t *freeze = json_pointer(facts, "/freezes/0");
    _cleanup_free_ char *said = NULL;
    struct gate_verdict v;
    char reason[1025] = "";

    for (size_t i = 0; i < 1024; i += 2)
        memcpy(reason + i, "\xc3\x9f", 2);
    json_object_set_new(freeze, "reason", json_string(reason));
    json_object_set_new(facts, "signoffs", json_null());
    gate_evaluate(facts, 2500 * US_PER_S, GATE_START, &v);
    ck_assert_ptr_nonnull(strstr(json_str(json_array_get(v.blockers, 0), "why", ""), reason));
    said = gate_verdict_text(&v);
    ck_assert_ptr_nonnull(strstr(said, reason));
    ck_assert_ptr_nonnull(strstr(said, "(and 1 more)"));
    gate_verdict_done(&v);
}
END_TEST

int main(void) {
    return RUN_SUITE("gate", 10, gate__each_fact_closes_it, gate__a_waiver_counts_until_it_expires,
                     gate__a_blocker_says_who_and_why, gate__time_alone_does_only_what_was_said,
                     law3__nothing_known_is_closed, gate__long_reasons_are_not_cut);
}
