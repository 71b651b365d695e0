#include "cli/screen.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/text.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static volatile sig_atomic_t interrupt_seen;

static void on_interrupt(int number) {
    (void)number;
    interrupt_seen = 1;
}

void interrupt_setup(void) {
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: poll returns */

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupted(void) {
    return interrupt_seen != 0;
}

bool screen_is_terminal(void) {
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

static ColorWhen color_when;

void screen_color(ColorWhen when) {
    color_when = when;
}

/* Whether to color what goes to a terminal, or elsewhere. */
static bool colors(bool terminal) {
    const char *no_color = getenv("NO_COLOR");

    if (color_when != COLOR_AUTO)
        return color_when == COLOR_ALWAYS;
    return terminal && !(no_color && *no_color);
}

struct look screen_look(void) {
    struct winsize size = {0};
    struct look look = {.width = 80, .utf8 = text_is_utf8(), .now_us = clock_now_us()};

    look.terminal = screen_is_terminal();
    look.color = colors(look.terminal);
    if (!look.terminal) {
        look.width = SIZE_MAX / 2;
    } else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        look.width = size.ws_col;
        look.rows = size.ws_row;
    }
    return look;
}

static size_t count_lines(const char *text) {
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

void screen_show(struct screen *s, const char *text) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(2 * DRAW_MOST);

    if (!s->cursor_hidden)
        strbuf_adds(&b, "\033[?25l");
    s->cursor_hidden = true;
    if (s->lines)
        strbuf_addf(&b, "\033[%zuA", s->lines);
    strbuf_adds(&b, "\r");
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");

        strbuf_add(&b, line, n);
        strbuf_adds(&b, "\033[K\n"); /* clears what a longer line left */
        line += n + (line[n] ? 1 : 0);
    }
    strbuf_adds(&b, "\033[J");
    s->lines = count_lines(text);
    fwrite(b.data, 1, b.len, stdout); /* in one piece: no flicker */
    fflush(stdout);
}

void screen_leave(struct screen *s) {
    if (s->cursor_hidden)
        fputs("\033[?25h", stdout);
    fflush(stdout);
    *s = (struct screen){0};
}
