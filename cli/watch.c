#include "cli/watch.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/follow.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    FRAME_MS = 100,
    LOOK_EVERY_MS = 500, /* though nothing was heard: a waiting step counts on without a record */
    LOOK_EVERY_MOST_MS = 5000, /* of many */
    LOOK_LEAST_MS = 50,
    AWAY_MOST_S = 120,
    LAST_RECORDS_MS = 3000, /* for the end of the stream after the deployment's end */
    ROWS_LEAST = 10,        /* for a deployment with its steps; with less it is drawn as a line */
};

/* One deployment that is watched. */
struct watch {
    const char *id;        /* borrowed */
    char *path;            /* owned: of the deployment */
    json_t *deployment;    /* owned: as last read; NULL before the first */
    struct follow *follow; /* owned */
    int64_t looked_us, away_since_us;
    bool dirty, stream_ended;
};

struct watching {
    struct session *session;
    WatchOutput output;
    bool terminal;
    struct watch all[WATCH_MOST];
    size_t n;
    struct screen screen;
};

static void watching_done(struct watching *g) {
    screen_leave(&g->screen);
    for (size_t i = 0; i < g->n; i++) {
        follow_free(g->all[i].follow);
        json_decref(g->all[i].deployment);
        free(g->all[i].path);
    }
}

static const char *state_of(const struct watch *w) {
    return json_str(w->deployment, "state", "");
}

static bool watch_is_over(const struct watch *w) {
    return w->deployment && state_is_over(state_of(w));
}

static bool watching_is_over(const struct watching *g) {
    for (size_t i = 0; i < g->n; i++) {
        if (!watch_is_over(&g->all[i]))
            return false;
    }
    return true;
}

/* ---- drawing ---- */

/* A line each, those that are not over first, as many as there are rows. */
static void draw_lines(struct strbuf *b, const struct watching *g, const struct look *look) {
    size_t names = 0, versions = 0, shown = 0, room = look->rows ? look->rows - 2 : SIZE_MAX, w;

    for (size_t i = 0; i < g->n; i++) {
        _cleanup_free_ char *place = draw_place(g->all[i].deployment);

        names = (w = text_width(place)) > names ? w : names;
        w = text_width(json_str(g->all[i].deployment, "version", ""));
        versions = w > versions ? w : versions;
    }
    for (int over = 0; over < 2; over++) {
        for (size_t i = 0; i < g->n; i++) {
            if (watch_is_over(&g->all[i]) == over && shown++ < room)
                draw_line(b, g->all[i].deployment, names, versions, look);
        }
    }
    if (shown > room)
        strbuf_addf(b, "and %zu more\n", shown - room);
}

/* With their steps where the terminal has room for that, and in the end those that did not succeed
 * in any case. */
static void draw_all(struct strbuf *b, const struct watching *g, struct look look, bool last) {
    size_t rows = look.rows ? (look.rows - 1) / g->n : SIZE_MAX;
    bool whole = g->n == 1 || rows >= ROWS_LEAST;

    if (g->n > 1 && look.rows)
        look.rows = whole ? rows : look.rows;
    if (last)
        look.rows = 0;
    if (!whole)
        draw_lines(b, g, &look);
    for (size_t i = 0; i < g->n; i++) {
        if (whole || (last && strcmp(state_of(&g->all[i]), "succeeded") != 0))
            draw_deployment(b, g->all[i].deployment, &look);
    }
}

static void watching_draw(struct watching *g, bool last) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(2 * DRAW_MOST);
    struct look look = screen_look();
    int64_t away_since = 0, away_s;

    look.frame = (unsigned)(clock_monotonic_us() / (FRAME_MS * US_PER_MS));
    for (size_t i = 0; i < g->n; i++)
        away_since = g->all[i].away_since_us ? g->all[i].away_since_us : away_since;
    away_s = away_since ? (clock_monotonic_us() - away_since) / US_PER_S : 0;
    draw_all(&b, g, look, last);
    if (away_s > 1 && !last)
        strbuf_addf(&b, "the server has not answered for %lld s; trying again\n",
                    (long long)away_s);
    screen_show(&g->screen, b.data ? b.data : "");
}

/* Of several, each line says which one it is about. */
static void print_changes(const struct watching *g, const struct watch *w, const json_t *before) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    _cleanup_free_ char *place = draw_place(w->deployment);
    char *line, *rest;

    draw_changes(&b, before, w->deployment);
    if (g->n == 1) {
        fputs(b.data ? b.data : "", stdout);
    } else {
        for (line = b.data ? strtok_r(b.data, "\n", &rest) : NULL; line;
             line = strtok_r(NULL, "\n", &rest)) {
            printf("%s ", place);
            text_print_clean(stdout, json_str(w->deployment, "version", "?"));
            printf(": %s\n", line);
        }
    }
    fflush(stdout);
}

/* ---- looking and listening ---- */

/* Reads the deployment once more.  EXIT_UNREACHABLE only when that lasted too long. */
static ExitCode watch_look(struct watching *g, struct watch *w) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *before = NULL;
    ExitCode code;

    code = api_try(g->session, &(struct api_call){.path = w->path, .timeout_ms = 5000}, &answer);
    w->looked_us = clock_monotonic_us();
    if (code == EXIT_REFUSED) {
        screen_leave(&g->screen);
        report_answer(g->session, &answer);
        return code;
    }
    if (code != EXIT_DONE) {
        if (!w->away_since_us)
            w->away_since_us = w->looked_us;
        if (!w->deployment || w->looked_us - w->away_since_us >= AWAY_MOST_S * US_PER_S) {
            screen_leave(&g->screen);
            report_answer(g->session, &answer);
            return EXIT_UNREACHABLE;
        }
        return EXIT_DONE;
    }
    w->away_since_us = 0;
    w->dirty = false;
    before = w->deployment;
    w->deployment = TAKE_PTR(answer.json);
    if (g->output == WATCH_PEOPLE && !g->terminal)
        print_changes(g, w, before);
    return EXIT_DONE;
}

static bool watch_due(const struct watching *g, const struct watch *w) {
    int64_t ago_ms = (clock_monotonic_us() - w->looked_us) / US_PER_MS;
    int64_t every_ms = LOOK_EVERY_MS * (int64_t)g->n;

    if (every_ms > LOOK_EVERY_MOST_MS)
        every_ms = LOOK_EVERY_MOST_MS;
    if (watch_is_over(w))
        return false;
    if (!w->deployment || ago_ms >= every_ms || (w->away_since_us && ago_ms >= 1000))
        return true;
    return w->dirty && !w->away_since_us && ago_ms >= LOOK_LEAST_MS;
}

/* Takes what its stream has brought. */
static ExitCode watch_listen(struct watching *g, struct watch *w) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    struct follow_record record;
    FollowNews news;

    do {
        news = follow_next(w->follow, 0, &record, &answer);
        if (news == FOLLOW_RECORD) {
            if (g->output == WATCH_RECORDS)
                print_json_line(record.json);
            follow_record_done(&record);
            w->dirty = true;
        }
    } while (news == FOLLOW_RECORD && !interrupted());
    if (news == FOLLOW_POLL)
        w->dirty = true;
    if (news == FOLLOW_ENDED && !w->stream_ended)
        w->dirty = w->stream_ended = true;
    if (news == FOLLOW_REFUSED) {
        screen_leave(&g->screen);
        report_answer(g->session, &answer);
        return EXIT_REFUSED;
    }
    return EXIT_DONE;
}

/* Waits until any stream has news, at most as long as a frame, and takes them. */
static ExitCode watching_listen(struct watching *g) {
    struct pollfd fds[WATCH_MOST];
    int timeout_ms = FRAME_MS;
    ExitCode code = EXIT_DONE;

    for (size_t i = 0; i < g->n; i++) {
        fds[i] = (struct pollfd){.fd = follow_fd(g->all[i].follow), .events = POLLIN};
        if (g->all[i].dirty && !watch_is_over(&g->all[i]))
            timeout_ms = LOOK_LEAST_MS;
    }
    poll(fds, g->n, timeout_ms);
    for (size_t i = 0; i < g->n && code == EXIT_DONE; i++)
        code = watch_listen(g, &g->all[i]);
    return code;
}

/* After their end the streams still bring the last records. */
static void watching_last_records(struct watching *g) {
    int64_t until = clock_monotonic_us() + LAST_RECORDS_MS * US_PER_MS;
    bool ended = g->output != WATCH_RECORDS;

    while (!ended && !interrupted() && clock_monotonic_us() < until) {
        if (watching_listen(g) != EXIT_DONE)
            return;
        ended = true;
        for (size_t i = 0; i < g->n; i++)
            ended = ended && g->all[i].stream_ended;
    }
}

/* ---- how it ends ---- */

/* By whom and why it was taken over. */
static void say_taken_over(const struct watching *g, const struct watch *w) {
    _cleanup_free_ char *path =
        api_path("/deployments/%s", json_str(w->deployment, "rolled_back_by", ""));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();

    if (api_try(g->session, &(struct api_call){.path = path, .timeout_ms = 5000}, &answer) !=
        EXIT_DONE)
        return; /* which one it was is told already */
    draw_taken_over(&b, answer.json, &look);
    fputs(b.data, stdout);
}

static ExitCode watching_outcome(const struct watching *g) {
    size_t good = 0;

    for (size_t i = 0; i < g->n; i++) {
        const struct watch *w = &g->all[i];

        good += strcmp(state_of(w), "succeeded") == 0;
        if (g->output == WATCH_LAST)
            print_json(w->deployment);
        if (g->output == WATCH_PEOPLE && strcmp(state_of(w), "rolled_back") == 0)
            say_taken_over(g, w);
    }
    if (g->output == WATCH_PEOPLE && g->n > 1)
        printf("%zu of %zu succeeded\n", good, g->n);
    return good == g->n ? EXIT_DONE : EXIT_UNDONE;
}

static void say_it_goes_on(const struct watching *g, const char *why) {
    const struct watch *w = &g->all[0];
    bool rollback = strcmp(json_str(w->deployment, "kind", "deploy"), "rollback") == 0;

    if (g->n == 1) {
        fprintf(stderr, "\n%s: the %s goes on.\n  watch it:      sluice watch %s\n", why,
                rollback ? "rollback" : "deployment", w->id);
        if (!rollback)
            fprintf(stderr, "  take it back:  sluice abort %s\n", w->id);
        return;
    }
    fprintf(stderr, "\n%s: the deployments go on.\n  watch them:  sluice watch", why);
    for (size_t i = 0; i < g->n; i++) {
        if (!watch_is_over(&g->all[i]))
            fprintf(stderr, " %s", g->all[i].id);
    }
    fputc('\n', stderr);
}

/* EXIT_DONE: it is to go on. */
static ExitCode watching_stopped(struct watching *g, int64_t until) {
    bool late = until && clock_monotonic_us() >= until;

    if (ferror(stdout)) /* its reader has gone (| head) */
        return EXIT_INTERRUPTED;
    if (!interrupted() && !late)
        return EXIT_DONE;
    screen_leave(&g->screen);
    if (g->output == WATCH_LAST)
        print_json(g->all[0].deployment);
    say_it_goes_on(g, interrupted() ? "Interrupted" : "The time to wait is over");
    return interrupted() ? EXIT_INTERRUPTED : EXIT_TIMED_OUT;
}

static ExitCode watching_run(struct watching *g, int64_t until) {
    ExitCode code;

    for (;;) {
        for (size_t i = 0; i < g->n; i++) {
            code = watch_due(g, &g->all[i]) ? watch_look(g, &g->all[i]) : EXIT_DONE;
            if (code != EXIT_DONE)
                return code;
        }
        if (g->terminal)
            watching_draw(g, watching_is_over(g));
        if (watching_is_over(g))
            break;
        code = watching_stopped(g, until);
        if (code == EXIT_DONE)
            code = watching_listen(g);
        if (code != EXIT_DONE)
            return code;
    }
    watching_last_records(g);
    return watching_outcome(g);
}

/* An id that does not exist is refused here. */
static ExitCode watch_begin(struct watching *g, struct watch *w, const char *id) {
    _cleanup_free_ char *records = api_path("/deployments/%s/records", id);
    ExitCode code;

    w->id = id;
    w->path = api_path("/deployments/%s", id);
    code = watch_look(g, w);
    if (code == EXIT_DONE)
        w->follow = follow_new(g->session, records, NULL);
    return code;
}

ExitCode watch_deployments(struct session *s, const char *const *ids, size_t n, int64_t timeout_s,
                           WatchOutput output) {
    struct watching *g = xcalloc(1, sizeof(*g));
    int64_t until = timeout_s ? clock_monotonic_us() + timeout_s * US_PER_S : 0;
    ExitCode code = EXIT_DONE;

    interrupt_setup();
    g->session = s;
    g->output = output;
    g->terminal = output == WATCH_PEOPLE && screen_is_terminal();
    g->n = n < WATCH_MOST ? n : WATCH_MOST;
    for (size_t i = 0; i < g->n && code == EXIT_DONE; i++)
        code = watch_begin(g, &g->all[i], ids[i]);
    if (code == EXIT_DONE)
        code = watching_run(g, until);
    watching_done(g);
    free(g);
    return code;
}

ExitCode watch_deployment(struct session *s, const char *id, int64_t timeout_s,
                          WatchOutput output) {
    return watch_deployments(s, &id, 1, timeout_s, output);
}
