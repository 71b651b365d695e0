/* http/page.h: cursors, the positions that clients hand back without reading them; entity tags. */
#pragma once
#include "base/arena.h"
#include <stdbool.h>

char *cursor_encode(struct arena *a, const char *position);
/* NULL when it is no cursor of ours. */
char *cursor_decode(struct arena *a, const char *text);
/* Whether the value of If-Match or If-None-Match names this tag (without quotes; "*" names any). */
bool etag_listed(const char *list, const char *etag);
