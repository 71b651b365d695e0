#include "cli/text.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

enum { TEXT_MOST = 1 << 20, GAP = 2, CELL_LEAST = 8 };

static bool utf8_locale;

void text_setup(void) {
    setlocale(LC_CTYPE, "");
    utf8_locale = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!utf8_locale) /* for the widths of other people's text, which goes out as it is */
        setlocale(LC_CTYPE, "C.UTF-8");
}

bool text_is_utf8(void) {
    return utf8_locale;
}

/* Reads one code point and steps over it; bad bytes are U+FFFD, one at a time. */
static unsigned next_code_point(const char **text) {
    static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)*text;
    unsigned more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0, c;

    (*text)++;
    if (s[0] < 0x80)
        return s[0];
    if (more == 0 || s[0] > 0xf4)
        return 0xfffd;
    c = s[0] & (0x3fu >> more);
    for (unsigned i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0xfffd;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0xfffd;
    *text += more;
    return c;
}

static bool is_control(unsigned c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

static size_t code_point_width(unsigned c) {
    int w = c < 0x80 ? 1 : wcwidth((wchar_t)c);

    return w < 0 ? 1 : (size_t)w;
}

/* Appends the code point that ends at `end`, made harmless. */
static void add_code_point(struct strbuf *b, unsigned c, const char *start, const char *end) {
    if (is_control(c))
        strbuf_adds(b, " ");
    else if (c == 0xfffd)
        strbuf_adds(b, "?");
    else
        strbuf_add(b, start, (size_t)(end - start));
}

void text_add_clean(struct strbuf *b, const char *text) {
    while (*text) {
        const char *start = text;
        unsigned c = next_code_point(&text);

        add_code_point(b, c, start, text);
    }
}

void text_print_clean(FILE *to, const char *text) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(TEXT_MOST);

    text_add_clean(&b, text);
    fputs(b.data ? b.data : "", to);
}

size_t text_width(const char *text) {
    size_t width = 0;

    while (*text)
        width += code_point_width(next_code_point(&text));
    return width;
}

void text_add_fitted(struct strbuf *b, const char *text, size_t columns, bool pad) {
    bool cut = text_width(text) > columns;
    size_t room = columns - (cut && columns ? 1 : 0), used = 0;

    while (*text) {
        const char *start = text;
        unsigned c = next_code_point(&text);
        size_t width = is_control(c) ? 1 : code_point_width(c);

        if (used + width > room)
            break;
        add_code_point(b, c, start, text);
        used += width;
    }
    if (cut && columns) {
        strbuf_adds(b, utf8_locale ? "…" : ".");
        used++;
    }
    for (; pad && used < columns; used++)
        strbuf_adds(b, " ");
}

char *text_duration(int64_t us, char text[DURATION_TEXT]) {
    int64_t s = us / US_PER_S;

    if (us < 0)
        us = s = 0;
    if (us < US_PER_S / 10)
        snprintf(text, DURATION_TEXT, "%lld ms", (long long)(us / US_PER_MS));
    else if (s < 60)
        snprintf(text, DURATION_TEXT, "%lld.%lld s", (long long)s,
                 (long long)(us % US_PER_S / (US_PER_S / 10)));
    else if (s < 3600)
        snprintf(text, DURATION_TEXT, "%lld min %02lld s", (long long)(s / 60),
                 (long long)(s % 60));
    else if (s < 86400)
        snprintf(text, DURATION_TEXT, "%lld h %02lld min", (long long)(s / 3600),
                 (long long)(s % 3600 / 60));
    else
        snprintf(text, DURATION_TEXT, "%lld d %lld h", (long long)(s / 86400),
                 (long long)(s % 86400 / 3600));
    return text;
}

char *text_clock(int64_t us, char text[DURATION_TEXT]) {
    time_t seconds = (time_t)(us / US_PER_S);
    struct tm tm;

    if (us == 0 || !localtime_r(&seconds, &tm) ||
        strftime(text, DURATION_TEXT, "%H:%M:%S", &tm) == 0)
        snprintf(text, DURATION_TEXT, "--:--:--");
    return text;
}

char *text_date(int64_t us, char text[DURATION_TEXT]) {
    time_t seconds = (time_t)(us / US_PER_S);
    struct tm tm;

    if (us == 0 || !localtime_r(&seconds, &tm) ||
        strftime(text, DURATION_TEXT, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        text[0] = '\0';
    return text;
}

int64_t text_time(const char *rfc3339) {
    int64_t us;

    return rfc3339 && clock_parse(rfc3339, &us) ? us : 0;
}

void table_add(struct table *t, const char *cell) {
    struct strbuf b = STRBUF(TEXT_MOST);

    t->cells = xrealloc(t->cells, (t->n + 1) * sizeof(*t->cells));
    text_add_clean(&b, cell && *cell ? cell : "-");
    t->cells[t->n++] = strbuf_take(&b);
}

static size_t column_width(const struct table *t, size_t column) {
    size_t width = 0, w;

    for (size_t i = column; i < t->n; i += t->columns) {
        w = text_width(t->cells[i]);
        width = w > width ? w : width;
    }
    return width;
}

/* What a column may be cut to: its title, and 8 columns; all of it where it holds an id. */
static size_t column_least(const struct table *t, size_t column, size_t width) {
    size_t title = text_width(t->cells[column]), least = title > CELL_LEAST ? title : CELL_LEAST;

    for (size_t i = column; i < t->n; i += t->columns) {
        if (uuid_valid(t->cells[i]))
            return width;
    }
    return least < width ? least : width;
}

/* Takes columns from whichever has most to spare, until the table fits.  One that does not fit even
 * so stays as it is: its lines are broken by the terminal, and cut cells would help nobody. */
static void columns_fit(const struct table *t, size_t *widths, size_t room) {
    _cleanup_free_ size_t *least = xcalloc(t->columns, sizeof(*least));
    size_t total = GAP * (t->columns - 1), smallest = total, widest;

    for (size_t c = 0; c < t->columns; c++) {
        least[c] = column_least(t, c, widths[c]);
        total += widths[c];
        smallest += least[c];
    }
    for (; smallest <= room && total > room; total--) {
        widest = t->columns;
        for (size_t c = 0; c < t->columns; c++) {
            if (widths[c] > least[c] && (widest == t->columns || widths[c] > widths[widest]))
                widest = c;
        }
        widths[widest]--;
    }
}

void table_print(const struct table *t, FILE *to, size_t width) {
    _cleanup_free_ size_t *widths = xcalloc(t->columns, sizeof(*widths));

    for (size_t c = 0; c < t->columns; c++)
        widths[c] = column_width(t, c);
    columns_fit(t, widths, width);
    for (size_t i = 0; i < t->n; i++) {
        _cleanup_(strbuf_done) struct strbuf cell = STRBUF(TEXT_MOST);
        size_t c = i % t->columns;
        bool last = c + 1 == t->columns;

        text_add_fitted(&cell, t->cells[i], widths[c], !last);
        fprintf(to, "%s%*s", cell.data ? cell.data : "", last ? 0 : GAP, "");
        if (last)
            fputc('\n', to);
    }
}

void table_done(struct table *t) {
    for (size_t i = 0; i < t->n; i++)
        free(t->cells[i]);
    free(t->cells);
    *t = (struct table){.columns = t->columns};
}
