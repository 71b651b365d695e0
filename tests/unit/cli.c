/* The parts of the command line that need no server: arguments, event streams, text and drawings.
 */
#include "base/clock.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/diff.h"
#include "cli/draw.h"
#include "cli/flag.h"
#include "cli/gate.h"
#include "cli/sse.h"
#include "cli/text.h"
#include "tests/support/suite.h"
#include <stdlib.h>
#include <string.h>

START_TEST(cli__durations_are_read) {
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } cases[] = {
        {"0", 0},       {"90", 90},   {"90s", 90},  {"15m", 900}, {"1h30m", 5400},
        {"2d", 172800}, {"", -1},     {"m", -1},    {"-1", -1},   {"1x", -1},
        {"1h-3m", -1},  {"1.5h", -1}, {"400d", -1}, {"1 h", -1},  {"99999999999999999999", -1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t seconds = -1;
        bool good = seconds_parse(cases[i].text, &seconds);

        ck_assert_msg(good == (cases[i].seconds >= 0), "'%s'", cases[i].text);
        if (good)
            ck_assert_int_eq(seconds, cases[i].seconds);
    }
}
END_TEST

START_TEST(cli__durations_are_written) {
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {{-5, "0 ms"},
                 {99 * US_PER_MS, "99 ms"},
                 {400 * US_PER_MS, "0.4 s"},
                 {59999 * US_PER_MS, "59.9 s"},
                 {60 * US_PER_S, "1 min 00 s"},
                 {3599 * US_PER_S, "59 min 59 s"},
                 {3660 * US_PER_S, "1 h 01 min"},
                 {90000 * US_PER_S, "1 d 1 h"}};
    char text[DURATION_TEXT];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_str_eq(text_duration(cases[i].us, text), cases[i].text);
}
END_TEST

START_TEST(cli__times_are_read) {
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } cases[] = {{"2026-12-24T18:00:00Z", 1798135200},
                 {"2026-12-24T18:00:00+09:00", 1798102800},
                 {"2026-12-24 18:00", 1798135200},
                 {"2026-12-24T18:00", 1798135200},
                 {"2026-12-24", -1},
                 {"18:00", -1},
                 {"2026-12-24 18:00 UTC", -1},
                 {"2026-13-24 18:00", -1},
                 {"", -1}};

    setenv("TZ", "UTC", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t us = -1;
        bool good = time_parse(cases[i].text, &us);

        ck_assert_msg(good == (cases[i].seconds >= 0), "'%s'", cases[i].text);
        if (good)
            ck_assert_int_eq(us, cases[i].seconds * US_PER_S);
    }
}
END_TEST

START_TEST(cli__options_stand_anywhere) {
    static const struct option_row rows[] = {{"wait", OPTION_FLAG, NULL, ""},
                                             {"owner", OPTION_LIST, "WHO", ""},
                                             {"reason", OPTION_TEXT, "TEXT", ""},
                                             {0}};
    static const struct command command = {"try", "A [B]", "", rows, NULL, NULL};
    char words[9][16] = {"--owner", "ann",         "one", "--reason=a=b", "--wait",
                         "--json",  "--owner=bob", "--",  "--two"};
    char *argv[9], error[256];
    struct args args;
    size_t at = 0;

    for (size_t i = 0; i < 9; i++)
        argv[i] = words[i];
    ck_assert_msg(args_parse(&command, 9, argv, &args, error, sizeof(error)), "%s", error);
    ck_assert_uint_eq(args.n_operands, 2);
    ck_assert_str_eq(arg_operand(&args, 0), "one");
    ck_assert_str_eq(arg_operand(&args, 1), "--two");
    ck_assert_ptr_null(arg_operand(&args, 2));
    ck_assert_str_eq(arg_list(&args, "owner", &at), "ann");
    ck_assert_str_eq(arg_list(&args, "owner", &at), "bob");
    ck_assert_ptr_null(arg_list(&args, "owner", &at));
    ck_assert_str_eq(arg_text(&args, "reason"), "a=b");
    ck_assert(arg_flag(&args, "wait") && arg_flag(&args, "json"));
    args_done(&args);
}
END_TEST

START_TEST(cli__table_is_sound) {
    for (const struct command *c = commands; c->words; c++) {
        ck_assert_msg(c->run && c->summary && c->operands, "%s", c->words);
        for (const struct command *d = c + 1; d->words; d++)
            ck_assert_str_ne(c->words, d->words);
        for (const struct option_row *o = c->options; o && o->name; o++) {
            ck_assert_msg((o->type == OPTION_FLAG) == (o->value == NULL), "%s --%s", c->words,
                          o->name);
            for (const struct option_row *common = common_options; common->name; common++)
                ck_assert_str_ne(o->name, common->name);
        }
    }
}
END_TEST

START_TEST(cli__every_code_has_advice) {
    static const char *const codes[] = {
#define ERR(symbol, code, status, title) code,
#include "base/errors.def"
#undef ERR
        "internal", "unreachable", "not-sluice"};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        const char *advice = advice_on(codes[i]);

        ck_assert_msg(advice && *advice, "%s", codes[i]);
    }
    ck_assert_ptr_null(advice_on("no-such-code"));
}
END_TEST

static void note_event(void *ctx, const struct sse_event *event) {
    strbuf_addf(ctx, "[%s|%s|%s]", event->id, event->event, event->text);
}

static char *read_events(const char *stream, size_t chunk) {
    struct strbuf seen = STRBUF(4096);
    struct sse sse = sse_new(64, note_event, &seen);
    size_t n = strlen(stream);

    for (size_t i = 0; i < n; i += chunk)
        sse_feed(&sse, stream + i, n - i < chunk ? n - i : chunk);
    sse_done(&sse);
    return strbuf_take(&seen);
}

START_TEST(cli__event_streams_are_read_in_any_pieces) {
    static const struct {
        const char *stream, *seen;
    } cases[] = {
        {"id: 1\nevent: a\ndata: x\n\n", "[1|a|x]"},
        {"id: 1\r\nevent: a\r\ndata: x\r\n\r\ndata: y\r\n\r\n", "[1|a|x][1|message|y]"},
        {"id: 1\revent: a\rdata: x\r\r", "[1|a|x]"},
        {"data: one\ndata: two\n\n", "[|message|one\ntwo]"},
        {": heartbeat\n\ndata:no space\n\n", "[|message|no space]"},
        {"data\n\n", "[|message|]"},
        {"id: 7\n\ndata: x\n\n", "[7|message|x]"},
        {"unknown: field\ndata: x\n\n", "[|message|x]"},
        {"data: incomplete\n", ""},
        {"data: 0123456789012345678901234567890123456789012345678901234567890123456789\n\ndata: "
         "x\n\n",
         "[|message|x]"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t chunk = 1; chunk < 8; chunk++) {
            char *seen = read_events(cases[i].stream, chunk);

            ck_assert_str_eq(seen, cases[i].seen);
            free(seen);
        }
    }
}
END_TEST

START_TEST(cli__text_from_elsewhere_is_harmless) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"a\x1b[2Jb\r\n", "a [2Jb  "},
        {"Gr\xc3\xbc\xc3\x9f"
         "e",
         "Gr\xc3\xbc\xc3\x9f"
         "e"},
        {"\xc2\x9b"
         "31m",
         " 31m"},                            /* an eight-bit CSI */
        {"bad \xff\xc3", "bad ??"},          /* no UTF-8 */
        {"\xc0\xaf \xed\xa0\x80", "?? ???"}, /* too long; a surrogate */
        {"user\xe2\x80\xae"
         "txt",
         "user txt"}, /* right-to-left override */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf b = STRBUF(1024);

        text_add_clean(&b, cases[i].in);
        ck_assert_str_eq(b.data, cases[i].out);
        strbuf_done(&b);
    }
}
END_TEST

START_TEST(cli__text_is_fitted) {
    static const struct {
        const char *in;
        size_t columns;
        bool pad;
        const char *out;
    } cases[] = {{"abc", 5, true, "abc  "}, {"abc", 5, false, "abc"}, {"abcdef", 4, true, "abc."},
                 {"abc", 3, true, "abc"},   {"", 2, true, "  "},      {"abc", 1, false, "."}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf b = STRBUF(1024);

        text_add_fitted(&b, cases[i].in, cases[i].columns, cases[i].pad);
        ck_assert_str_eq(b.data ? b.data : "", cases[i].out);
        strbuf_done(&b);
    }
}
END_TEST

static json_t *deployment(const char *state, const char *step_state) {
    return json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:{s:s,s:s},s:{s:s,s:s},s:[{s:s,s:s,s:s,s:s,s:s}]}", "id",
        "d1", "app", "inopnc", "environment", "production", "version", "v2", "strategy",
        "blue-green", "state", state, "started_at", "2026-11-24T12:00:00.000Z", "from", "version",
        "v1", "color", "blue", "to", "version", "v2", "color", "green", "steps", "name", "apply",
        "title", "Apply it", "state", step_state, "started_at", "2026-11-24T12:00:01.000Z",
        "detail", "2 of 3 pods are ready, the third is being started");
}

START_TEST(cli__drawing_fits_every_width) {
    json_auto_t *d = deployment("running", "waiting");

    for (size_t width = 30; width < 160; width++) {
        struct look look = {.width = width, .now_us = text_time("2026-11-24T12:00:03.500Z")};
        struct strbuf b = STRBUF(DRAW_MOST);
        char *line, *rest;

        draw_deployment(&b, d, &look);
        ck_assert(strstr(b.data, "2.5 s"));
        ck_assert(strstr(b.data, "running after 3.5 s"));
        for (line = strtok_r(b.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
            ck_assert_msg(text_width(line) < width, "%zu: '%s'", width, line);
        strbuf_done(&b);
    }
}
END_TEST

START_TEST(cli__plain_lines_tell_each_change_once) {
    json_auto_t *first = deployment("running", "waiting"), *second = deployment("running", "done");
    struct strbuf b = STRBUF(DRAW_MOST);

    json_object_set_new(json_array_get(json_object_get(second, "steps"), 0), "ended_at",
                        json_string("2026-11-24T12:00:01.400Z"));
    draw_changes(&b, NULL, first);
    ck_assert(strstr(b.data, "step apply waiting: 2 of 3 pods"));
    strbuf_clear(&b);
    draw_changes(&b, first, second);
    ck_assert(strstr(b.data, "step apply done 0.4 s"));
    strbuf_clear(&b);
    draw_changes(&b, second, second);
    ck_assert_str_eq(b.data, "");
    strbuf_done(&b);
}
END_TEST

static char *difference(const char *before, const char *after) {
    const struct look look = {.width = 80};
    struct strbuf b = STRBUF(DRAW_MOST);
    json_auto_t *was = json_loads(before, 0, NULL), *is = json_loads(after, 0, NULL);

    diff_objects(&b, "X", was, is, &look);
    return strbuf_take(&b);
}

START_TEST(cli__differences_read_as_yaml) {
    static const struct {
        const char *before, *after, *text;
    } cases[] = {
        {"{}", "{}", ""},
        {"{\"a\":1,\"b\":{}}", "{\"b\":{},\"a\":1}", ""}, /* the order of keys is none */
        {"{\"a\":1}", "{\"a\":2}", "--- X as it is\n+++ X as it would be\n@@ @@\n-a: 1\n+a: 2\n"},
        {"{\"a\":[1,[2],{\"b\":[]}]}", "{}",
         "--- X as it is\n+++ X (none)\n@@ @@\n-a:\n-- 1\n--\n-  - 2\n-- b: []\n"},
        {"{}", "{\"t\":\"on\",\"u\":\"a: b\",\"v\":\"1.50\",\"w\":\"\",\"x\":\"v1.2\"}",
         "--- X (none)\n+++ X as it would be\n@@ @@\n+t: \"on\"\n+u: \"a: b\"\n+v: \"1.50\"\n"
         "+w: \"\"\n+x: v1.2\n"},
        {"{\"a\":{\"b\":[{\"c\":1,\"d\":2}]}}", "{\"a\":{\"b\":[{\"c\":1,\"d\":3}]}}",
         "--- X as it is\n+++ X as it would be\n@@ a.b @@\n a:\n   b:\n   - c: 1\n-    d: 2\n"
         "+    d: 3\n"},
        {"{\"a\":\"x\\ny\"}", "{\"a\":\"x\\nz\\n\"}",
         "--- X as it is\n+++ X as it would be\n@@ @@\n a: |\n   x\n-  y\n+  z\n"},
        {"{\"status\":1,\"metadata\":{\"uid\":\"u\"}}", "{\"metadata\":{}}", ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = difference(cases[i].before, cases[i].after);

        ck_assert_str_eq(text, cases[i].text);
        free(text);
    }
}
END_TEST

/* Some lines of numbers, as an array. */
static json_t *numbers(unsigned seed, size_t n) {
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++) {
        seed = seed * 1103515245 + 12345;
        if (seed >> 16 & 3)
            json_array_append_new(array, json_integer((int)i));
        if ((seed >> 18 & 7) == 0)
            json_array_append_new(array, json_integer(1000 + (int)(seed >> 20)));
    }
    return json_pack("{s:o}", "a", array);
}

/* Counts the lines with that sign, the heads apart. */
static long signs(const char *text, char sign) {
    long n = 0;

    for (const char *line = text; line && *line; line = strchr(line, '\n') + 1)
        n += line[0] == sign && strncmp(line, "--- ", 4) != 0 && strncmp(line, "+++ ", 4) != 0;
    return n;
}

START_TEST(cli__differences_add_up) {
    for (unsigned seed = 0; seed < 60; seed++) {
        json_auto_t *was = numbers(seed, 5 + seed), *is = numbers(seed * 7 + 1, 60 - seed);
        struct look look = {.width = 80};
        struct strbuf b = STRBUF(DRAW_MOST);
        bool differ = diff_objects(&b, "X", was, is, &look);
        long more = (long)json_array_size(json_object_get(is, "a")) -
                    (long)json_array_size(json_object_get(was, "a"));

        ck_assert(differ);
        ck_assert_int_eq(signs(b.data, '+') - signs(b.data, '-'), more);
        strbuf_clear(&b);
        ck_assert(!diff_objects(&b, "X", was, was, &look));
        strbuf_done(&b);
    }
}
END_TEST

START_TEST(cli__documents_of_another_shape_do_no_harm) {
    static const char *const texts[] = {
        "null",
        "[]",
        "{}",
        "7",
        "{\"steps\":{},\"from\":[],\"state\":7}",
        "{\"steps\":[null,7,{}],\"failure\":\"x\",\"state\":\"failed\"}",
        "{\"steps\":[7],\"state\":\"paused\",\"id\":7}",
        "{\"state\":\"stuck\",\"rolled_back_by\":7}",
        "{\"state\":\"rolled_back\",\"requested_by\":[]}",
        "{\"changes\":[null,7,{\"before\":7,\"after\":[]}],\"gates\":[null,7],\"steps\":[null]}",
        "{\"metadata\":7,\"status\":[]}",
        "{\"metadata\":{\"annotations\":[],\"\":{\"\":[[],[[]],{}]}}}"};
    const struct look look = {.width = 80, .rows = 24};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_auto_t *v = json_loads(texts[i], JSON_DECODE_ANY, NULL);
        struct strbuf b = STRBUF(DRAW_MOST);

        draw_deployment(&b, v, &look);
        draw_outcome(&b, v, &look);
        draw_changes(&b, NULL, v);
        draw_changes(&b, v, v);
        draw_record(&b, v);
        draw_next(&b, v, &look);
        draw_taken_over(&b, v, &look);
        draw_moved(&b, v, NULL, 0, false, &look);
        draw_verdict(&b, v, &(struct gate_place){"a", "e", "v"}, &look);
        draw_blockers(&b, v, &look);
        draw_effect(&b, v, &(struct gate_place){0}, &look);
        draw_checklist(&b, v, &look);
        draw_item(&b, v, &look);
        draw_plan(&b, v, &look);
        diff_objects(&b, "X", v, NULL, &look);
        draw_flag(&b, v, &look);
        draw_flag_state(&b, v, &look);
        draw_whom(&b, v);
        strbuf_done(&b);
    }
}
END_TEST

START_TEST(cli__strategies_read_as_whom) {
    static const struct {
        const char *strategies, *whom;
    } cases[] = {
        {"[]", "everybody"},
        {"[{\"name\":\"default\"}]", "everybody"},
        {"[{\"name\":\"flexibleRollout\",\"parameters\":{\"rollout\":\"25\"}}]", "25 % by default"},
        {"[{\"name\":\"userWithId\",\"parameters\":{\"userIds\":\"7,12\"},\"disabled\":true},"
         "{\"name\":\"default\",\"segments\":[\"beta\",\"staff\"]}]",
         "userWithId userIds 7,12 (disabled); or everybody (segment beta; segment staff)"},
        {"[{\"name\":\"default\",\"constraints\":[{\"context_name\":\"plan\",\"operator\":\"IN\","
         "\"values\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]},{\"context_name\":\"age\",\"operator\":"
         "\"NUM_GT\",\"value\":\"17\",\"inverted\":true}]}]",
         "everybody (plan IN a, b, c, d, e … (6); not age NUM_GT 17)"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *strategies = json_loads(cases[i].strategies, 0, NULL);
        struct strbuf b = STRBUF(DRAW_MOST);

        draw_whom(&b, strategies);
        ck_assert_str_eq(b.data, cases[i].whom);
        strbuf_done(&b);
    }
}
END_TEST

START_TEST(cli__a_percentage_goes_into_its_strategy) {
    static const struct {
        const char *strategies, *stickiness, *then; /* then NULL: not guessed */
    } cases[] = {
        {"null", NULL,
         "[{\"name\":\"flexibleRollout\",\"parameters\":{\"rollout\":\"50\",\"stickiness\":"
         "\"default\"}}]"},
        {"[{\"name\":\"flexibleRollout\",\"parameters\":7}]", "userId",
         "[{\"name\":\"flexibleRollout\",\"parameters\":{\"rollout\":\"50\",\"stickiness\":"
         "\"userId\"}}]"},
        {"[{\"name\":\"default\",\"disabled\":true},{\"name\":\"flexibleRollout\",\"disabled\":"
         "true,"
         "\"parameters\":{\"rollout\":\"5\",\"stickiness\":\"userId\",\"groupId\":\"g\"}}]",
         NULL,
         "[{\"name\":\"default\",\"disabled\":true},{\"name\":\"flexibleRollout\",\"parameters\":{"
         "\"rollout\":\"50\",\"stickiness\":\"userId\",\"groupId\":\"g\"}}]"},
        {"[{\"name\":\"flexibleRollout\"},{\"name\":\"flexibleRollout\"}]", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *before = json_loads(cases[i].strategies, JSON_DECODE_ANY, NULL);
        json_auto_t *kept = json_deep_copy(before);
        json_auto_t *now = strategies_at(before, "50", cases[i].stickiness);
        char *text = now ? json_text(now) : NULL;

        ck_assert_pstr_eq(text, cases[i].then);
        ck_assert(json_equal(before, kept));
        free(text);
    }
}
END_TEST

START_TEST(cli__mistyped_words_find_the_near_one) {
    static const char *const words[] = {"deploy", "status", "watch"};

    ck_assert_str_eq(nearest_word("deplyo", words, 3), "deploy");
    ck_assert_str_eq(nearest_word("stat", words, 3), "status");
    ck_assert_ptr_null(nearest_word("rollback", words, 3));
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "cli", 10, cli__durations_are_read, cli__durations_are_written, cli__times_are_read,
        cli__options_stand_anywhere, cli__table_is_sound, cli__every_code_has_advice,
        cli__event_streams_are_read_in_any_pieces, cli__text_from_elsewhere_is_harmless,
        cli__text_is_fitted, cli__drawing_fits_every_width, cli__plain_lines_tell_each_change_once,
        cli__differences_read_as_yaml, cli__differences_add_up,
        cli__documents_of_another_shape_do_no_harm, cli__strategies_read_as_whom,
        cli__a_percentage_goes_into_its_strategy, cli__mistyped_words_find_the_near_one);
}
