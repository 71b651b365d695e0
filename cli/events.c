/* cli/events.c: the records of a deployment or an environment, past and to come. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/screen.h"
#include <stdio.h>
#include <string.h>

enum { WAIT_MS = 1000, AWAY_SAID_S = 3 };

static void print_record(const struct session *s, const json_t *record) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);

    if (s->json) {
        print_json_line(record);
        return;
    }
    draw_record(&b, record);
    fputs(b.data, stdout);
    fflush(stdout);
}

/* Prints the pages of a list from its beginning, leaving out the `skip` records that were printed
 * before. */
static ExitCode print_pages(struct session *s, const char *path, size_t skip, size_t *ret_printed) {
    json_auto_t *records = NULL;
    const json_t *record;
    ExitCode code = api_list(s, path, &records);
    size_t i;

    if (code != EXIT_DONE)
        return code;
    json_array_foreach(records, i, record) {
        if (i >= skip)
            print_record(s, record);
    }
    *ret_printed = json_array_size(records) > skip ? json_array_size(records) : skip;
    return EXIT_DONE;
}

static void say_away(const struct follow *f, bool *said) {
    const char *why;
    bool away = follow_away_us(f, &why) > AWAY_SAID_S * US_PER_S;

    if (away && !*said)
        fprintf(stderr, "sluice: the server does not answer: %s; trying again\n", why);
    *said = away;
}

static ExitCode follow_records(struct session *s, const char *path, const char *since) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    struct follow *f = follow_new(s, path, since);
    struct follow_record record;
    ExitCode code = EXIT_DONE;
    bool said = false, on = true;
    size_t printed = 0;

    interrupt_setup();
    while (on && code == EXIT_DONE && !interrupted() && !ferror(stdout)) {
        switch (follow_next(f, WAIT_MS, &record, &answer)) {
        case FOLLOW_RECORD:
            print_record(s, record.json);
            follow_record_done(&record);
            break;
        case FOLLOW_POLL:
            code = print_pages(s, path, printed, &printed);
            break;
        case FOLLOW_REFUSED:
            report_answer(s, &answer);
            code = EXIT_REFUSED;
            break;
        case FOLLOW_ENDED:
            on = false;
            break;
        case FOLLOW_NOTHING:
            say_away(f, &said);
            break;
        }
    }
    follow_free(f);
    return interrupted() ? EXIT_INTERRUPTED : code;
}

ExitCode run_events(struct session *s, const struct args *a) {
    const char *first = arg_operand(a, 0), *second = arg_operand(a, 1);
    const char *since = arg_text(a, "since-id");
    _cleanup_free_ char *path = NULL, *cursor = NULL, *since_path = NULL;
    size_t printed;

    if (!second && !uuid_valid(first))
        return usage_error("events wants APP ENV, or the id of a deployment");
    path = second ? api_path("/apps/%s/environments/%s/records", first, second)
                  : api_path("/deployments/%s/records", first);
    if (arg_flag(a, "follow"))
        return follow_records(s, path, since);
    if (since) { /* the ids of the stream are cursors of its pages */
        cursor = api_path("?cursor=%s", since);
        since_path = xasprintf("%s%s", path, cursor + strlen("/api/v1"));
    }
    return print_pages(s, since ? since_path : path, 0, &printed);
}
