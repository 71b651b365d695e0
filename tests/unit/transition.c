/* The table of a deployment's states is sound. */
#include "worker/transition.h"
#include "tests/support/suite.h"
#include <string.h>

static const char *const states[] = {"scheduled", "queued",  "blocked",     "running",
                                     "paused",    "undoing", "stuck",       "succeeded",
                                     "failed",    "aborted", "rolled_back", "canceled"};
enum { STATES = sizeof states / sizeof *states, FIRST_FINAL = 7 };

static int state_index(const char *state) {
    for (int i = 0; i < STATES; i++)
        if (strcmp(states[i], state) == 0)
            return i;
    ck_abort_msg("%s is no state", state);
    return -1;
}

static bool active(const char *state) {
    return state_index(state) >= state_index("running") &&
           state_index(state) <= state_index("stuck");
}

START_TEST(transition__states_and_pairs_are_known_and_single) {
    size_t n;
    const struct transition_row *rows = transitions(&n);

    for (size_t i = 0; i < n; i++) {
        if (rows[i].from)
            state_index(rows[i].from);
        state_index(rows[i].to);
        ck_assert(*rows[i].title);
        ck_assert(*event_name(rows[i].event));
        for (size_t k = i + 1; k < n; k++)
            ck_assert_msg(rows[i].event != rows[k].event || !rows[i].from != !rows[k].from ||
                              (rows[i].from && strcmp(rows[i].from, rows[k].from) != 0),
                          "rows %zu and %zu", i, k);
    }
}
END_TEST

START_TEST(transition__a_final_state_is_never_left) {
    size_t n;
    const struct transition_row *rows = transitions(&n);

    for (size_t i = 0; i < n; i++)
        ck_assert(!rows[i].from || state_index(rows[i].from) < FIRST_FINAL);
    for (int s = FIRST_FINAL; s < STATES; s++)
        for (int e = EVENT_START; e <= EVENT_CANCEL; e++)
            ck_assert_ptr_null(transition_find(states[s], (DeploymentEvent)e));
}
END_TEST

START_TEST(transition__an_unknown_pair_is_none) {
    ck_assert_ptr_null(transition_find("running", EVENT_UNDONE));
    ck_assert_ptr_null(transition_find("undoing", EVENT_SUCCEED)); /* what is taken back never is */
    ck_assert_ptr_null(transition_find("undoing", EVENT_START));
    ck_assert_ptr_null(transition_find("stuck", EVENT_SUCCEED));
    ck_assert_ptr_null(transition_find("paused", EVENT_SUCCEED));
    ck_assert_ptr_null(transition_find(NULL, EVENT_SUCCEED));
    ck_assert_ptr_null(transition_find("", EVENT_START));
    ck_assert_ptr_null(transition_find("no state", EVENT_ABORT));
}
END_TEST

/* Every active one can be aborted, and taken over by a rollback, and ends from where it is. */
START_TEST(transition__every_active_state_leads_to_an_end) {
    size_t n;
    const struct transition_row *rows = transitions(&n);
    bool ends[STATES] = {false};

    for (int s = FIRST_FINAL; s < STATES; s++)
        ends[s] = true;
    for (size_t round = 0; round < n; round++)
        for (size_t i = 0; i < n; i++)
            if (rows[i].from && ends[state_index(rows[i].to)])
                ends[state_index(rows[i].from)] = true;
    for (int s = 0; s < STATES; s++) {
        if (!active(states[s]))
            continue;
        ck_assert_msg(ends[s], "%s", states[s]);
        if (strcmp(states[s], "undoing") != 0) /* joins */
            ck_assert_ptr_nonnull(transition_find(states[s], EVENT_ABORT));
        ck_assert_str_eq(transition_find(states[s], EVENT_TAKEN_OVER)->to, "rolled_back");
    }
    for (size_t i = 0; i < n; i++) /* what holds nothing yet begins, cannot, or is canceled */
        ck_assert(!rows[i].from || active(rows[i].from) || rows[i].event == EVENT_CANCEL ||
                  rows[i].event == EVENT_OPEN || rows[i].event == EVENT_REFUSED);
}
END_TEST

START_TEST(transition__actions_are_those_of_the_contract) {
    /* of openapi.yaml, Record.action */
    static const char *const actions[] = {
        "deployment.started",  "deployment.undoing",     "deployment.succeeded",
        "deployment.failed",   "deployment.aborted",     "deployment.stuck",
        "deployment.paused",   "deployment.resumed",     "deployment.promoted",
        "deployment.canceled", "deployment.rolled_back", "deployment.retried",
        "deployment.blocked",
    };
    size_t n;
    const struct transition_row *rows = transitions(&n);

    for (size_t i = 0; i < n; i++) {
        bool known = false;

        for (size_t k = 0; k < sizeof actions / sizeof *actions; k++)
            known = known || strcmp(actions[k], rows[i].action) == 0;
        ck_assert_msg(known, "%s", rows[i].action);
        if (state_index(rows[i].to) >= FIRST_FINAL || strcmp(rows[i].to, "stuck") == 0) {
            ck_assert_int_eq(strncmp(rows[i].action, "deployment.", 11), 0);
            ck_assert_str_eq(rows[i].action + 11, rows[i].to);
        }
    }
}
END_TEST

int main(void) {
    return RUN_SUITE("transition", 10, transition__states_and_pairs_are_known_and_single,
                     transition__a_final_state_is_never_left, transition__an_unknown_pair_is_none,
                     transition__every_active_state_leads_to_an_end,
                     transition__actions_are_those_of_the_contract);
}
