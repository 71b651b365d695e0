/* report/walk.h: a JSON text that is too large to be held as values, member by member: jansson
 * reads one value at a time (internal to report/).
 *
 * Strict: what it has passed is JSON.  A value that is kept has at most WALK_VALUE_MAX bytes; of
 * those that are passed over, at most as much is held at once. */
#pragma once
#include "report/readers.h"

enum { WALK_VALUE_MAX = 256 * 1024, WALK_DEPTH_MAX = 64, WALK_KEY_MAX = 128, WALK_AT = 200 };

struct walk {
    const char *text;
    size_t n, at;
    struct report_fault *fault; /* set by what fails; everything then answers false or NULL */
    char path[WALK_AT];         /* pointer to where it is */
};

/* UTF-8, with or without a byte order mark; false: it is in another encoding. */
bool walk_begin(struct walk *w, const char *text, size_t n, struct report_fault *fault);
/* Nothing but space follows. */
bool walk_end(struct walk *w);
/* Whether the value here is an array or object that opens so; passes the bracket. */
bool walk_open(struct walk *w, char bracket);
/* The next member of the object, or item of the array, that is open.  *i: 0 before the first, is
 * counted up.  false: it has ended, or is no JSON. */
bool walk_member(struct walk *w, size_t *i, char key[WALK_KEY_MAX]);
bool walk_item(struct walk *w, size_t *i);
/* The value here; yours. */
json_t *walk_value(struct walk *w);
bool walk_pass(struct walk *w);
/* Over the value here without looking into it: to come back to. */
bool walk_leap(struct walk *w);
/* Whether it is null, which is passed. */
bool walk_null(struct walk *w);
/* Of the object here the members of these names (ended by NULL), those with null left out; the
 * others are passed.  Yours. */
json_t *walk_some(struct walk *w, const char *const *names);
/* w->path with one more step; give back what it returns to walk_up. */
size_t walk_down(struct walk *w, const char *key, size_t i);
void walk_up(struct walk *w, size_t length);
/* Something about the value at w->path/below.  false. */
bool walk_wrong(struct walk *w, const char *below, const char *format, ...) PRINTF(3, 4);
