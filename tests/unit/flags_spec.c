/* The cases that Unleash publishes for its clients (@unleash/client-specification, pinned in
 * tests/clients, which scripts/deps installs), against what we import of their documents, and
 * against what a client of ours would see: the export, read again. */
#include "base/cleanup.h"
#include "flags/model.h"
#include "flags/unleash.h"
#include "tests/support/fields.h"
#include "tests/support/flags.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* All but the four of delta, which are about a stream of changes. */
enum { CASES = 275 };

static json_t *load(const char *name) {
    _cleanup_free_ char *path = xasprintf("%s/%s", CLIENT_SPECIFICATION, name);
    json_error_t e;
    json_t *v = json_load_file(path, JSON_DECODE_ANY, &e);

    ck_assert_msg(v != NULL, "%s: %s (scripts/deps test installs it)", path, e.text);
    return v;
}

static bool text_equal(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* What a client's getVariant answers, as the cases have it. */
static bool variant_is(const struct flag_result *r, const json_t *wanted) {
    const json_t *payload = json_object_get(wanted, "payload");

    return r->enabled == json_bool(wanted, "feature_enabled", false) &&
           (r->variant != NULL) == json_bool(wanted, "enabled", false) &&
           text_equal(r->variant ? r->variant->name : "disabled", json_str(wanted, "name", NULL)) &&
           text_equal(r->variant ? r->variant->payload : NULL, json_str(payload, "value", NULL)) &&
           text_equal(r->variant ? r->variant->payload_type : NULL,
                      json_str(payload, "type", NULL));
}

static unsigned run_list(struct asked *a, const json_t *list, const char *file) {
    unsigned done = 0;
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one) {
        const json_t *wanted = json_object_get(one, "expectedResult");
        const char *name = json_str(one, "toggleName", "");
        struct flag_result r = {0};

        a->context = json_object_get(one, "context");
        if (flags_find(a->flags, name)) /* some ask for flags that do not exist */
            r = ask(a, name);
        ck_assert_msg(json_is_object(wanted) ? variant_is(&r, wanted)
                                             : r.enabled == json_is_true(wanted),
                      "%s: %s", file, json_str(one, "description", "?"));
        done++;
    }
    return done;
}

static unsigned run_file(const json_t *spec, const json_t *document, const char *file) {
    struct asked a = {.flags = flags_compile(document)};
    unsigned done = run_list(&a, json_object_get(spec, "tests"), file) +
                    run_list(&a, json_object_get(spec, "variantTests"), file);

    flags_free(a.flags);
    return done;
}

/* All files, each document as `of` makes it. */
static void run_all(json_t *(*of)(const json_t *state)) {
    json_auto_t *index = load("index.json");
    unsigned done = 0;
    json_t *name;
    size_t i;

    json_array_foreach(index, i, name) {
        const char *file = json_string_value(name);
        json_auto_t *spec = NULL, *document = NULL;

        if (strstr(file, "delta"))
            continue;
        spec = load(file);
        document = of(json_object_get(spec, "state"));
        done += run_file(spec, document, file);
    }
    ck_assert_uint_eq(done, CASES);
}

static json_t *imported(const json_t *state) {
    json_auto_t *errors = json_array();

    return unleash_import(state, NULL, errors);
}

static json_t *exported(const json_t *state) {
    json_auto_t *document = imported(state), *features = unleash_export(document, false);

    return imported(features);
}

static json_t *exported_inline(const json_t *state) {
    json_auto_t *document = imported(state), *features = unleash_export(document, true);

    return imported(features);
}

START_TEST(flags_spec__every_published_case) {
    run_all(imported);
}
END_TEST

START_TEST(flags_spec__the_same_of_what_we_export) {
    run_all(exported);
}
END_TEST

START_TEST(flags_spec__the_same_with_segments_inline) {
    run_all(exported_inline);
}
END_TEST

#define RULE(feature, below) "/features/" feature "/strategies/0/" below

/* What of the published documents does not map, and nothing else. */
START_TEST(flags_spec__what_does_not_map_is_named) {
    enum { FILES = 8 };
    static const struct {
        const char *file, *named;
    } files[FILES] = {
        {"06-remote-address-strategy.json", RULE("2", "parameters/IPs")},
        {"13-constraint-operators.json", RULE("19", "constraints/0/operator")},
        {"14-constraint-semver-operators.json", RULE("10", "constraints/0/value")},
        {"15-global-constraints.json", RULE("3", "segments/0")},
        {"17-dependent-features.json",
         "/features/6/dependencies/0/feature /features/7/dependencies/0/feature "
         "/features/8/dependencies/0/feature /features/23/dependencies/0/feature"},
        {"18-utf8-flag-names.json", "/features/0/name /features/1/name"},
        {"21-regex-constraint-operators.json",
         RULE("1", "constraints/0/value") " " RULE("16", "constraints/0/value") " " RULE(
             "17", "constraints/0/value")},
        {"22-cidr-constraint-operators.json",
         RULE("2", "constraints/0/values/0") " " RULE("3", "constraints/0/values/0") " " RULE(
             "6", "constraints/0/values/0")},
    };

    json_auto_t *index = load("index.json");
    json_t *name;
    size_t i, next = 0;

    json_array_foreach(index, i, name) {
        const char *file = json_string_value(name), *wanted = "";
        json_auto_t *spec = load(file), *errors = json_array();
        _cleanup_free_ char *named = NULL;

        json_decref(unleash_import(json_object_get(spec, "state"), NULL, errors));
        named = fields_of(errors);
        if (next < FILES && strcmp(files[next].file, file) == 0)
            wanted = files[next++].named;
        ck_assert_msg(strstr(file, "delta") || strcmp(named, wanted) == 0, "%s: %s", file, named);
    }
    ck_assert_uint_eq(next, FILES);
}
END_TEST

int main(void) {
    if (access(CLIENT_SPECIFICATION "/index.json", R_OK) != 0) {
        puts("1..1\nok 1 - flags_spec # SKIP npm could not be reached (scripts/deps test)");
        return 0;
    }
    return RUN_SUITE(
        "flags_spec", 30, flags_spec__every_published_case, flags_spec__the_same_of_what_we_export,
        flags_spec__the_same_with_segments_inline, flags_spec__what_does_not_map_is_named);
}
