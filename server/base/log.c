#include "base/log.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "base/trace.h"
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 16384 };

static _Atomic LogLevel least_level = LOG_INFO;
static _Atomic LogFormat line_format = LOG_KEY_VALUE;
static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_setup(LogLevel least, LogFormat format) {
    least_level = least;
    line_format = format;
}

char *log_int(int64_t n, char text[24]) {
    snprintf(text, 24, "%lld", (long long)n);
    return text;
}

static void add_json_string(struct strbuf *b, const char *s) {
    json_t *value = json_string(s);
    char *text = json_dumps(value ? value : json_null(), JSON_ENCODE_ANY);

    strbuf_adds(b, text ? text : "null");
    free(text);
    json_decref(value);
}

/* Whether it can stand without quotes. */
static bool bare(const char *value) {
    const unsigned char *c = (const unsigned char *)value;

    while (*c > ' ' && *c != 0x7f && *c != '"' && *c != '=' && *c != '\\')
        c++;
    return *value && !*c;
}

static void add_pair(struct strbuf *b, const char *key, const char *value) {
    bool json = line_format == LOG_JSON;

    strbuf_adds(b, !json ? (b->len ? " " : "") : b->len ? ",\"" : "{\"");
    strbuf_adds(b, key);
    strbuf_adds(b, json ? "\":" : "=");
    if (!json && bare(value))
        strbuf_adds(b, value);
    else
        add_json_string(b, value);
}

void log_event(LogLevel level, const char *event, ...) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(LINE_MAX_BYTES);
    char at[TIME_TEXT];
    const char *key;
    va_list args;

    if (level < least_level)
        return;
    add_pair(&b, "at", clock_format(clock_now_us(), at));
    add_pair(&b, "level", level_names[level]);
    add_pair(&b, "event", event);
    va_start(args, event);
    while ((key = va_arg(args, const char *))) {
        const char *value = va_arg(args, const char *);

        if (value)
            add_pair(&b, key, value);
    }
    va_end(args);
    if (trace_current_id())
        add_pair(&b, "trace", trace_current_id());
    b.max += 2; /* the line's own end always fits */
    b.overflowed = false;
    strbuf_adds(&b, line_format == LOG_JSON ? "}\n" : "\n");
    for (size_t done = 0; done < b.len;) {
        ssize_t n = write(STDERR_FILENO, b.data + done, b.len - done);

        if (n <= 0)
            return; /* nobody reads the log: nothing better to do than to go on */
        done += (size_t)n;
    }
}
