/* cli/text.h: what a terminal shows: widths, times and text from elsewhere made harmless. */
#pragma once
#include "base/strbuf.h"
#include <stdio.h>

enum { DURATION_TEXT = 32 };

/* Appends text from elsewhere with its control characters (a terminal would obey them) replaced by
 * spaces and bad UTF-8 by '?'. */
void text_add_clean(struct strbuf *b, const char *text);
/* The same onto a file. */
void text_print_clean(FILE *to, const char *text);
/* Columns that `text` takes on a terminal. */
size_t text_width(const char *text);
/* Appends at most `columns` columns of clean `text`, ending with "…" (or "." in ASCII) if it is
 * cut, and with spaces up to `columns` if `pad`. */
void text_add_fitted(struct strbuf *b, const char *text, size_t columns, bool pad);
/* Whether marks beyond ASCII may be used: the locale is UTF-8.  Set once by text_setup(). */
void text_setup(void);
bool text_is_utf8(void);

/* "12 ms", "0.4 s", "3 min 05 s", "2 h 10 min", "3 d 4 h".  Returns `text`. */
char *text_duration(int64_t us, char text[DURATION_TEXT]);
/* Local time of day "12:00:01"; "--:--:--" for 0.  Returns `text`. */
char *text_clock(int64_t us, char text[DURATION_TEXT]);
/* Local "2026-11-24 12:00:01"; "" for 0.  Returns `text`. */
char *text_date(int64_t us, char text[DURATION_TEXT]);
/* Of an RFC 3339 text (NULL or unreadable: 0). */
int64_t text_time(const char *rfc3339);

/* Lines of cells in aligned columns: the first row is the head. */
struct table {
    char **cells; /* owned */
    size_t n, columns;
};
void table_add(struct table *t, const char *cell); /* NULL or "": "-" */
/* In at most `width` columns, as far as that goes: long cells are cut, but never an id, which is
 * there to be copied, nor a title. */
void table_print(const struct table *t, FILE *to, size_t width);
void table_done(struct table *t);
static inline void table_done_cleanup(struct table *t) {
    table_done(t);
}
