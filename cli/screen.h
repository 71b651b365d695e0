/* cli/screen.h: the terminal: whether there is one, its size, drawing in place, and Ctrl-C. */
#pragma once
#include "cli/draw.h"

/* Of standard output. */
bool screen_is_terminal(void);
/* Width, rows, color (NO_COLOR, TERM=dumb) and marks of standard output now. */
struct look screen_look(void);

/* Colors, whatever NO_COLOR says; otherwise COLOR_AUTO. */
typedef enum ColorWhen { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } ColorWhen;
void screen_color(ColorWhen when);

struct screen {
    size_t lines; /* shown and to be drawn over */
    bool cursor_hidden;
};
/* Draws `text` over what this screen showed before. */
void screen_show(struct screen *s, const char *text);
/* Leaves what is shown where it is and gives the cursor back. */
void screen_leave(struct screen *s);

/* From now on Ctrl-C and SIGTERM only set a flag and interrupt what waits. */
void interrupt_setup(void);
bool interrupted(void);
