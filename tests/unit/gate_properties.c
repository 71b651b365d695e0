/* What holds of the gate for any facts: every set of them, and random freezes and expiries. */
#include "base/cleanup.h"
#include "domain/gate.h"
#include "tests/support/suite.h"
#include <stdlib.h>
#include <string.h>

/* ---- a positive fact never closes it: all sets of facts ---- */

enum fact {
    IN_USE,
    RAN_BEFORE,
    ACCEPTED,
    IDLE,
    TESTS_PASSED,
    TESTS_WAIVED,
    PLAN_PASSED,
    APPROVED_QA,
    APPROVED_FINAL,
    NOT_REJECTED,
    THAWED,
    GLASS_BROKEN,
    OWN_APPROVAL_COUNTS, /* who made the release is the one of qa */
    FACTS
};
enum { NOW = 1000 };

static bool has(unsigned set, enum fact fact) {
    return set >> fact & 1;
}

static json_t *item(const char *key, bool passed, bool waived) {
    json_t *item = json_pack("{s:s, s:s, s:b}", "key", key, "kind", "manual", "required", 1);

    if (passed)
        json_object_set_new(item, "fact", json_pack("{s:s}", "state", "passed"));
    if (waived)
        json_object_set_new(item, "waiver", json_pack("{s:i}", "expires_us", NOW + 1));
    return item;
}

static json_t *signoff(const char *role, const char *decision, const char *subject) {
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "role", role, "decision", decision,
                     "subject", subject, "issuer", "i", "content_digest", "d", "checklist", "b@1");
}

static json_t *signoffs(unsigned set) {
    json_t *out = json_array();

    if (has(set, APPROVED_QA))
        json_array_append_new(out, signoff("qa", "approve", "author"));
    if (has(set, APPROVED_FINAL))
        json_array_append_new(out, signoff("final", "approve", "ann"));
    if (!has(set, NOT_REJECTED))
        json_array_append_new(out, signoff("support", "reject", "dan"));
    return out;
}

static json_t *facts_of(unsigned set) {
    json_t *facts =
        json_pack("{s:{s:s, s:s}, s:{s:{s:s}, s:s, s:b, s:[{s:s, s:i}, {s:s, s:i}]},"
                  " s:{s:s, s:s, s:b, s:{s:s, s:s}}, s:{s:s, s:[o, o]}, s:o}",
                  "environment", "app", "a", "name", "e", "gates", "checklist", "before", "b",
                  "previous_environment", "staging", "self_approval", has(set, OWN_APPROVAL_COUNTS),
                  "approvals", "role", "qa", "count", 1, "role", "final", "count", 1, "release",
                  "version", "v1", "content_digest", "d", "yanked", !has(set, IN_USE), "created_by",
                  "subject", "author", "issuer", "i", "checklist", "name", "b@1", "items",
                  item("tests", has(set, TESTS_PASSED), has(set, TESTS_WAIVED)),
                  item("plan", has(set, PLAN_PASSED), false), "signoffs", signoffs(set));

    if (has(set, RAN_BEFORE))
        json_object_set_new(facts, "previous", json_object());
    if (!has(set, ACCEPTED))
        json_object_set_new(facts, "unaccepted", json_pack("{s:s}", "acceptance", "pending"));
    if (!has(set, IDLE))
        json_object_set_new(facts, "active", json_string("x"));
    if (!has(set, THAWED))
        json_object_set_new(facts, "freezes",
                            json_pack("[{s:s, s:[[i, i]]}]", "id", "f", "windows", 0, 2 * NOW));
    if (has(set, GLASS_BROKEN))
        json_object_set_new(facts, "break_glass_us", json_integer(NOW + 1));
    return facts;
}

/* What laws 3 and 4 ask of these facts, said once more. */
static bool may_go(unsigned set, GateWhen when) {
    return has(set, IN_USE) && has(set, RAN_BEFORE) && has(set, ACCEPTED) &&
           (has(set, IDLE) || when != GATE_ASKED) &&
           (has(set, TESTS_PASSED) || has(set, TESTS_WAIVED)) && has(set, PLAN_PASSED) &&
           has(set, APPROVED_QA) && has(set, OWN_APPROVAL_COUNTS) && has(set, APPROVED_FINAL) &&
           has(set, NOT_REJECTED) && (has(set, THAWED) || has(set, GLASS_BROKEN));
}

static size_t blockers(unsigned set, GateWhen when) {
    json_auto_t *facts = facts_of(set);
    struct gate_verdict v;
    size_t n;

    gate_evaluate(facts, NOW, when, &v);
    n = json_array_size(v.blockers);
    ck_assert_msg(v.open == (n == 0) && v.open == may_go(set, when), "facts %x: %zu blockers", set,
                  n);
    gate_verdict_done(&v);
    return n;
}

START_TEST(law3__a_positive_fact_never_closes_it) {
    static const GateWhen whens[] = {GATE_ASKED, GATE_START, GATE_CUTOVER};
    static size_t found[1U << FACTS];

    for (size_t w = 0; w < sizeof whens / sizeof *whens; w++) {
        for (unsigned set = 0; set < 1U << FACTS; set++)
            found[set] = blockers(set, whens[w]);
        for (unsigned set = 0; set < 1U << FACTS; set++)
            for (int fact = 0; fact < FACTS; fact++)
                ck_assert_msg(found[set | 1U << fact] <= found[set], "facts %x and %d", set, fact);
        ck_assert_uint_eq(found[(1U << FACTS) - 1], 0);
    }
}
END_TEST

/* ---- time alone: weekly and one-off freezes, and what expires ---- */

/* A week of 20 ticks of the clock, of which as many are known ahead as facts.sql knows. */
enum { WEEK = 20, KNOWN = 5 * WEEK, LAST = 16 * WEEK, FREEZES = 4 };

struct freeze {
    bool weekly;
    int64_t from, to; /* of the first window of a weekly one */
};
struct world {
    struct freeze freezes[FREEZES];
    size_t n;
    int64_t expires; /* of what an item passed with; 0: never */
};

static struct world random_world(unsigned *seed) {
    struct world w = {.n = 1 + (size_t)rand_r(seed) % FREEZES};

    for (size_t i = 0; i < w.n; i++) {
        struct freeze *f = &w.freezes[i];

        f->weekly = rand_r(seed) % 2;
        f->from = f->weekly ? rand_r(seed) % WEEK - WEEK : rand_r(seed) % (3 * WEEK);
        f->to = f->from + 1 + rand_r(seed) % (f->weekly ? WEEK - 1 : 9 * WEEK);
    }
    w.expires = rand_r(seed) % 2 ? rand_r(seed) % LAST + 1 : 0;
    return w;
}

/* The windows that touch what is known at a time, whole. */
static json_t *windows(const struct freeze *f, int64_t now) {
    json_t *out = json_array();

    for (int64_t k = 0; k <= (f->weekly ? (LAST + 2 * KNOWN) / WEEK : 0); k++) {
        int64_t from = f->from + k * WEEK, to = f->to + k * WEEK;

        if (to > now - 1 && (!f->weekly || from < now + KNOWN))
            json_array_append_new(out, json_pack("[I, I]", (json_int_t)from, (json_int_t)to));
    }
    return out;
}

static json_t *facts_at(const struct world *w, int64_t now) {
    json_t *freezes = json_array();

    for (size_t i = 0; i < w->n; i++)
        json_array_append_new(freezes,
                              json_pack("{s:s, s:o, s:I}", "id", "f", "windows",
                                        windows(&w->freezes[i], now), "known_until_us",
                                        (json_int_t)(w->freezes[i].weekly ? now + KNOWN : 0)));
    return json_pack("{s:{s:{s:s}}, s:{s:s, s:b}, s:{s:s, s:[{s:s, s:{s:s, s:I}}]}, s:o}", "gates",
                     "checklist", "before", "b", "release", "version", "v1", "yanked", 0,
                     "checklist", "name", "b@1", "items", "key", "k", "fact", "state", "passed",
                     "expires_us", (json_int_t)w->expires, "freezes", freezes);
}

struct said {
    bool open;
    int64_t opens, next;
};

static void look(const struct world *w, struct said said[LAST]) {
    for (int64_t now = 0; now < LAST; now++) {
        json_auto_t *facts = facts_at(w, now);
        struct gate_verdict v;

        gate_evaluate(facts, now, GATE_START, &v);
        said[now] = (struct said){v.open, v.opens_us, v.next_us};
        gate_verdict_done(&v);
    }
}

/* The first moment from which it is another answer; LAST: there is none. */
static int64_t changes(const struct said said[LAST], int64_t now) {
    int64_t t = now + 1;

    while (t < LAST && said[t].open == said[now].open)
        t++;
    return t;
}

START_TEST(gate__time_alone_opens_it_when_it_said_and_only_then) {
    static struct said said[LAST];
    unsigned seed = 11, named = 0, never = 0;

    for (int round = 0; round < 40; round++) {
        const struct world w = random_world(&seed);

        look(&w, said);
        /* what comes within the last weeks is not seen to its end */
        for (int64_t now = 0; now < LAST - KNOWN; now++) {
            const struct said *s = &said[now];
            int64_t then = changes(said, now);

            ck_assert_msg(then == LAST || (s->next && s->next <= then),
                          "round %d, %lld: changes at %lld, next %lld", round, (long long)now,
                          (long long)then, (long long)s->next);
            if (s->open || then >= now + KNOWN)
                ck_assert_msg(!s->opens || s->opens == then, "round %d, %lld: %lld", round,
                              (long long)now, (long long)s->opens);
            else
                ck_assert_msg(s->opens == then, "round %d, %lld: opens at %lld, said %lld", round,
                              (long long)now, (long long)then, (long long)s->opens);
            named += s->opens != 0;
            never += !s->open && !s->opens;
        }
    }
    ck_assert_msg(named > 500 && never > 500, "%u named, %u not", named, never);
}
END_TEST

int main(void) {
    return RUN_SUITE("gate_properties", 60, law3__a_positive_fact_never_closes_it,
                     gate__time_alone_opens_it_when_it_said_and_only_then);
}
