#include "domain/checklist.h"
#include "base/clock.h"
#include "base/field_errors.h"
#include "domain/check.h"
#include "domain/gate.h"
#include <string.h>

/* ---- what may be said ---- */

static bool is(const struct item_said *said, const char *state) {
    return strcmp(said->state, state) == 0;
}

static void check_expiry(const struct item_said *said, int64_t now_us, json_t *errors) {
    const char *given = said->expires_s ? "/expires_s" : "/expires_at";

    if (!said->expires_s && !said->expires_us) {
        if (is(said, "waived"))
            field_error(errors, "/expires_s", "required",
                        "A waiver ends: give expires_s or expires_at.");
    } else if (!is(said, "waived") && !is(said, "passed")) {
        field_error(errors, given, "unknown", "Belongs to the states passed and waived.");
    } else if (said->expires_s && said->expires_us) {
        field_error(errors, given, "conflict", "Give expires_s or expires_at, not both.");
    } else if (said->expires_us && (said->expires_us <= now_us ||
                                    said->expires_us > now_us + WAIVER_DAYS_MAX * 86400 * US_PER_S))
        field_error(errors, given, "range", "In the future, at most %d days from now.",
                    WAIVER_DAYS_MAX);
}

void checklist_said_check(const struct item_said *said, int64_t now_us, json_t *errors) {
    const char *url = json_str(said->evidence, "url", NULL);

    if (is(said, "waived") && !said->reason)
        field_error(errors, "/reason", "required", "Why it need not be there.");
    if (!is(said, "waived") && said->reason)
        field_error(errors, "/reason", "unknown", "Belongs to the state waived.");
    if (!is(said, "waived") && said->role)
        field_error(errors, "/role", "unknown", "Belongs to the state waived.");
    check_expiry(said, now_us, errors);
    if (url && !link_valid(url))
        field_error(errors, "/evidence/url", "format", "An http or https address.");
}

void checklist_item_check(const struct item_said *said, const json_t *item, bool before,
                          json_t *errors) {
    const json_t *params = json_object_get(item, "params");

    if (!is(said, "passed"))
        return;
    if (before && strcmp(json_str(item, "kind", ""), "evidence") == 0)
        field_error(errors, "/state", "evidence",
                    "Its evidence comes from what ran, by POST …/evidence; people may fail, open "
                    "or waive it.");
    if (json_bool(item, "probed", false))
        field_error(errors, "/state", "probe",
                    "Sluice looks at this itself; people may fail, open or waive it.");
    if (json_bool(params, "note", false) && !said->note)
        field_error(errors, "/note", "required", "This item asks for a note.");
    if (json_bool(params, "person", false) && !said->person)
        field_error(errors, "/person", "required", "This item asks for a person's name.");
}

int64_t checklist_expiry(const struct item_said *said, const json_t *item, int64_t now_us) {
    int64_t until = said->expires_s ? now_us + said->expires_s * US_PER_S : said->expires_us;
    int64_t own_s = is(said, "passed") ? json_int(item, "expires_s", 0) : 0;
    int64_t own = now_us + own_s * US_PER_S;

    return own_s && (!until || own < until) ? own : until;
}

/* ---- what is answered ---- */

const json_t *checklist_item(const json_t *items, const char *key) {
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        if (strcmp(json_str(item, "key", ""), key) == 0)
            return item;
    }
    return NULL;
}

bool checklist_complete(const json_t *items, int64_t max_age_s, int64_t now_us) {
    const json_t *item;
    int64_t until;
    size_t i;

    json_array_foreach(items, i, item) {
        ItemState state = gate_item_state(item, max_age_s, now_us, &until);

        if (json_bool(item, "required", true) && state != ITEM_PASSED && state != ITEM_WAIVED)
            return false;
    }
    return true;
}

/* Copies a member that is there. */
static void take(json_t *out, const json_t *from, const char *key) {
    json_t *value = json_object_get(from, key);

    if (value && !json_is_null(value))
        json_object_set(out, key, value);
}

static void put_time(json_t *out, const char *key, int64_t us) {
    if (us)
        json_set_time(out, key, us);
}

static json_t *waiver_json(const json_t *waiver) {
    json_t *out = json_object();

    take(out, waiver, "reason");
    take(out, waiver, "role");
    take(out, waiver, "by");
    put_time(out, "at", json_int(waiver, "at_us", 0));
    put_time(out, "expires_at", json_int(waiver, "expires_us", 0));
    return out;
}

json_t *checklist_item_json(const json_t *item, int64_t max_age_s, int64_t now_us) {
    static const char *const of_item[] = {"key", "title", "kind", "required", "exposure"};
    static const char *const of_fact[] = {"by",   "source", "url",   "summary",
                                          "note", "person", "report"};
    const json_t *fact = json_object_get(item, "fact"), *waiver = json_object_get(item, "waiver");
    json_t *out = json_object();
    int64_t until, was = json_int(fact, "expires_us", 0);

    for (size_t i = 0; i < sizeof of_item / sizeof *of_item; i++)
        take(out, item, of_item[i]);
    json_set_str(out, "state", item_state_names[gate_item_state(item, max_age_s, now_us, &until)]);
    put_time(out, "at", json_int(fact, "observed_us", 0));
    for (size_t i = 0; i < sizeof of_fact / sizeof *of_fact; i++)
        take(out, fact, of_fact[i]);
    put_time(out, "expires_at", until ? until : was <= now_us ? was : 0);
    if (json_is_object(waiver))
        json_object_set_new(out, "waiver", waiver_json(waiver));
    return out;
}

json_t *checklist_groups_json(const json_t *items, int64_t max_age_s, int64_t now_us) {
    json_t *groups = json_array(), *group = NULL, *of_group = NULL;
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item) {
        const char *name = json_str(item, "group", "");

        if (!group || strcmp(json_str(group, "name", ""), name) != 0) {
            of_group = json_array();
            group = json_pack("{s:s, s:s, s:o}", "name", name, "title",
                              json_str(item, "group_title", name), "items", of_group);
            json_array_append_new(groups, group);
        }
        json_array_append_new(of_group, checklist_item_json(item, max_age_s, now_us));
    }
    return groups;
}
