#include "domain/gate_spec.h"
#include "base/cleanup.h"
#include "base/field_errors.h"
#include <string.h>

static const char *const quorums[] = {"approvals", "acceptance"};

static bool named_before(const json_t *quorum, size_t i) {
    const char *role = json_str(json_array_get(quorum, i), "role", "");

    for (size_t k = 0; k < i; k++)
        if (strcmp(json_str(json_array_get(quorum, k), "role", ""), role) == 0)
            return true;
    return false;
}

void gate_spec_check(const json_t *body, json_t *errors) {
    for (size_t q = 0; q < sizeof quorums / sizeof *quorums; q++) {
        const json_t *quorum = json_object_get(body, quorums[q]);

        for (size_t i = 0; i < json_array_size(quorum); i++) {
            _cleanup_free_ char *field = xasprintf("/%s/%zu/role", quorums[q], i);

            if (named_before(quorum, i))
                field_error(errors, field, "duplicate", "Each role once, with its count.");
        }
    }
}

/* What is absent stays absent. */
static void copy_name(json_t *out, const json_t *from, const char *key) {
    const char *name = json_str(from, key, NULL);

    if (name)
        json_set_str(out, key, name);
}

/* Absent: changes of flags need nobody's approval. */
static void copy_flag_approvals(json_t *out, const json_t *asked) {
    if (json_is_object(asked))
        json_object_set_new(out, "flag_approvals",
                            json_pack("{s:I}", "count", (json_int_t)json_int(asked, "count", 1)));
}

static json_t *quorum(const json_t *asked) {
    json_t *out = json_array(), *one;
    size_t i;

    json_array_foreach(asked, i, one)
        json_array_append_new(out, json_pack("{s:s, s:I}", "role", json_str(one, "role", ""),
                                             "count", (json_int_t)json_int(one, "count", 1)));
    return out;
}

json_t *gate_spec(const json_t *body) {
    const json_t *checklist = json_object_get(body, "checklist");
    json_t *out = json_object(), *names = json_object();

    copy_name(names, checklist, "before");
    copy_name(names, checklist, "after");
    json_object_set_new(out, "checklist", names);
    for (size_t q = 0; q < sizeof quorums / sizeof *quorums; q++)
        json_object_set_new(out, quorums[q], quorum(json_object_get(body, quorums[q])));
    json_object_set_new(out, "acceptance_blocks_next",
                        json_boolean(json_bool(body, "acceptance_blocks_next", false)));
    json_object_set_new(out, "self_approval",
                        json_boolean(json_bool(body, "self_approval", false)));
    json_object_set_new(out, "freeze", json_boolean(json_bool(body, "freeze", true)));
    copy_name(out, body, "previous_environment");
    json_object_set_new(out, "evidence_max_age_s",
                        json_integer(json_int(body, "evidence_max_age_s", 0)));
    copy_flag_approvals(out, json_object_get(body, "flag_approvals"));
    return out;
}
