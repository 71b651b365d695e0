#include "cli/watch.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/screen.h"
#include <stdio.h>
#include <string.h>

enum {
    FRAME_MS = 100,
    LOOK_EVERY_MS = 500, /* though nothing was heard: a waiting step counts on without a record */
    LOOK_LEAST_MS = 50,
    AWAY_MOST_S = 120,
    LAST_RECORDS_MS = 3000, /* for the end of the stream after the deployment's end */
};

struct watch {
    struct session *session;
    const char *id;
    WatchOutput output;
    bool terminal;
    char *path;            /* owned: of the deployment */
    json_t *deployment;    /* owned: as last read; NULL before the first */
    struct follow *follow; /* owned */
    struct screen screen;
    int64_t looked_us, away_since_us;
    bool dirty, stream_ended;
    char why[160]; /* it is away */
};

static void watch_done(struct watch *w) {
    screen_leave(&w->screen);
    follow_free(w->follow);
    json_decref(w->deployment);
    free(w->path);
}

static void watch_draw(struct watch *w, bool last) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();
    int64_t away_s = w->away_since_us ? (clock_monotonic_us() - w->away_since_us) / US_PER_S : 0;

    look.frame = (unsigned)(clock_monotonic_us() / (FRAME_MS * US_PER_MS));
    if (last)
        look.rows = 0;
    draw_deployment(&b, w->deployment, &look);
    if (away_s > 1 && !last)
        strbuf_addf(&b, "the server has not answered for %lld s; trying again\n",
                    (long long)away_s);
    screen_show(&w->screen, b.data ? b.data : "");
}

static void watch_print_changes(struct watch *w, const json_t *before) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);

    draw_changes(&b, before, w->deployment);
    if (b.len) {
        fputs(b.data, stdout);
        fflush(stdout);
    }
}

/* Reads the deployment once more.  EXIT_UNREACHABLE only when that lasted too long. */
static ExitCode watch_look(struct watch *w) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *before = NULL;
    ExitCode code;

    code = api_try(w->session, &(struct api_call){.path = w->path, .timeout_ms = 5000}, &answer);
    w->looked_us = clock_monotonic_us();
    if (code == EXIT_REFUSED) {
        screen_leave(&w->screen);
        report_answer(w->session, &answer);
        return code;
    }
    if (code != EXIT_DONE) {
        if (!w->away_since_us)
            w->away_since_us = w->looked_us;
        if (!w->deployment || w->looked_us - w->away_since_us >= AWAY_MOST_S * US_PER_S) {
            screen_leave(&w->screen);
            report_answer(w->session, &answer);
            return EXIT_UNREACHABLE;
        }
        return EXIT_DONE;
    }
    w->away_since_us = 0;
    w->dirty = false;
    before = w->deployment;
    w->deployment = TAKE_PTR(answer.json);
    if (w->output == WATCH_PEOPLE && !w->terminal)
        watch_print_changes(w, before);
    return EXIT_DONE;
}

static bool watch_is_over(const struct watch *w) {
    return w->deployment && state_is_over(json_str(w->deployment, "state", ""));
}

/* By whom and why it was taken over. */
static void watch_taken_over(const struct watch *w) {
    _cleanup_free_ char *path =
        api_path("/deployments/%s", json_str(w->deployment, "rolled_back_by", ""));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();

    if (api_try(w->session, &(struct api_call){.path = path, .timeout_ms = 5000}, &answer) !=
        EXIT_DONE)
        return; /* which one it was is told already */
    draw_taken_over(&b, answer.json, &look);
    fputs(b.data, stdout);
}

static ExitCode watch_outcome(const struct watch *w) {
    bool good = strcmp(json_str(w->deployment, "state", ""), "succeeded") == 0;

    if (w->output == WATCH_LAST)
        print_json(w->deployment);
    if (w->output == WATCH_PEOPLE &&
        strcmp(json_str(w->deployment, "state", ""), "rolled_back") == 0)
        watch_taken_over(w);
    return good ? EXIT_DONE : EXIT_UNDONE;
}

static void watch_take_record(struct watch *w, struct follow_record *record) {
    if (w->output == WATCH_RECORDS)
        print_json_line(record->json);
    follow_record_done(record);
    w->dirty = true;
}

/* Takes what the stream brings within `timeout_ms`. */
static ExitCode watch_listen(struct watch *w, int timeout_ms) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    struct follow_record record;
    FollowNews news;

    do {
        news = follow_next(w->follow, timeout_ms, &record, &answer);
        timeout_ms = 0;
        if (news == FOLLOW_RECORD)
            watch_take_record(w, &record);
    } while (news == FOLLOW_RECORD && !interrupted());
    if (news == FOLLOW_POLL)
        w->dirty = true;
    if (news == FOLLOW_ENDED && !w->stream_ended)
        w->dirty = w->stream_ended = true;
    if (news == FOLLOW_REFUSED) {
        screen_leave(&w->screen);
        report_answer(w->session, &answer);
        return EXIT_REFUSED;
    }
    return EXIT_DONE;
}

static void say_it_goes_on(const struct watch *w, const char *why) {
    const char *kind = json_str(w->deployment, "kind", "deploy");
    bool rollback = strcmp(kind, "rollback") == 0;

    fprintf(stderr, "\n%s: the %s goes on.\n  watch it:      sluice watch %s\n", why,
            rollback ? "rollback" : "deployment", w->id);
    if (!rollback)
        fprintf(stderr, "  take it back:  sluice abort %s\n", w->id);
}

/* After its end the stream still brings the last records. */
static void watch_last_records(struct watch *w) {
    int64_t until = clock_monotonic_us() + LAST_RECORDS_MS * US_PER_MS;

    while (w->output == WATCH_RECORDS && !w->stream_ended && !interrupted() &&
           clock_monotonic_us() < until) {
        if (watch_listen(w, FRAME_MS) != EXIT_DONE)
            return;
    }
}

static bool watch_due(const struct watch *w) {
    int64_t ago_ms = (clock_monotonic_us() - w->looked_us) / US_PER_MS;

    if (!w->deployment || ago_ms >= LOOK_EVERY_MS || (w->away_since_us && ago_ms >= 1000))
        return true;
    return w->dirty && !w->away_since_us && ago_ms >= LOOK_LEAST_MS;
}

static ExitCode watch_run(struct watch *w, int64_t until) {
    ExitCode code;

    for (;;) {
        if (watch_due(w)) {
            code = watch_look(w);
            if (code != EXIT_DONE)
                return code;
        }
        if (w->terminal)
            watch_draw(w, watch_is_over(w));
        if (watch_is_over(w))
            break;
        if (ferror(stdout)) /* its reader has gone (| head) */
            return EXIT_INTERRUPTED;
        if (interrupted()) {
            screen_leave(&w->screen);
            say_it_goes_on(w, "Interrupted");
            return EXIT_INTERRUPTED;
        }
        if (until && clock_monotonic_us() >= until) {
            screen_leave(&w->screen);
            say_it_goes_on(w, "The time to wait is over");
            return EXIT_TIMED_OUT;
        }
        code = watch_listen(w, w->dirty ? LOOK_LEAST_MS : FRAME_MS);
        if (code != EXIT_DONE)
            return code;
    }
    watch_last_records(w);
    return watch_outcome(w);
}

ExitCode watch_deployment(struct session *s, const char *id, int64_t timeout_s,
                          WatchOutput output) {
    _cleanup_free_ char *records = api_path("/deployments/%s/records", id);
    struct watch w = {.session = s, .id = id, .output = output};
    ExitCode code;

    interrupt_setup();
    w.terminal = output == WATCH_PEOPLE && screen_is_terminal();
    w.path = api_path("/deployments/%s", id);
    code = watch_look(&w); /* an id that does not exist is refused here */
    if (code == EXIT_DONE) {
        w.follow = follow_new(s, records, NULL);
        code = watch_run(&w, timeout_s ? clock_monotonic_us() + timeout_s * US_PER_S : 0);
    }
    watch_done(&w);
    return code;
}

ExitCode run_watch(struct session *s, const struct args *a) {
    return watch_deployment(s, arg_operand(a, 0), arg_seconds(a, "timeout", 0),
                            s->json ? WATCH_RECORDS : WATCH_PEOPLE);
}
