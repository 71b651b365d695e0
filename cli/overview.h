/* cli/overview.h: every environment in one table. */
#pragma once
#include "cli/session.h"

/* What serves in an app's environments (NULL: of every app), since when, what runs, drifts and is
 * frozen. */
ExitCode overview(struct session *s, const char *app);

/* "3 min 05 s ago", or "" for none. */
enum { AGO_TEXT = 40 };
char *ago(const char *rfc3339, char text[AGO_TEXT]);
/* The freezes that hold now, yours; NULL where the caller may not know them. */
json_t *active_freezes(struct session *s);
bool freeze_holds(const json_t *freeze, const char *app, const char *env);
/* When its present window ends, "" for an unknown one. */
char *freeze_until(const json_t *freeze, char text[AGO_TEXT]);
