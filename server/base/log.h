/* base/log.h: one line per event on stderr, as key=value or as JSON.  Any thread; a line is written
 * whole. */
#pragma once
#include "base/status.h"

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR } LogLevel;
typedef enum LogFormat { LOG_KEY_VALUE, LOG_JSON } LogFormat;

/* At the start, and whenever the settings change.  Any thread. */
void log_setup(LogLevel least, LogFormat format);
/* log_event(LOG_INFO, "request", "method", "GET", "path", path, NULL): pairs of strings, ended by
 * NULL. A NULL value leaves its pair out; where the thread works for a trace, its id comes last.
 * Callers keep secrets away: nothing here can tell. */
void log_event(LogLevel level, const char *event, ...) __attribute__((sentinel));
/* As text for log_event: log_int(n, (char[24]){0}). */
char *log_int(int64_t n, char text[24]);
