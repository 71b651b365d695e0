/* tests/support/http_script.h: an HTTP/1.1 server on loopback that answers by a script, byte by
 * byte what the script says: half answers, garbage and silence included. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef enum ScriptThen {
    SCRIPT_KEEP,  /* the connection waits for the next request */
    SCRIPT_CLOSE, /* it is closed */
    SCRIPT_HOLD,  /* nothing more is sent; it ends when the client or the server ends it */
} ScriptThen;

struct script; /* any thread */

struct script *script_new(void);
void script_free(struct script *s); /* ends every connection */
unsigned script_port(const struct script *s);
/* A request whose text (head and body) contains `match` gets `reply`, whole bytes of HTTP; `times`
 * is how often, -1 for ever.  The rule added first that has times left wins; no rule: 404, closed.
 * Copies its texts. */
void script_rule(struct script *s, const char *match, const char *reply, ScriptThen then,
                 int times);
/* How many requests contained that text. */
int script_count(struct script *s, const char *match);
/* The last request that contained that text, yours; NULL when there was none. */
char *script_last(struct script *s, const char *match);
/* Waits at most 5 s until `n` requests contained that text; false when they did not come. */
bool script_wait(struct script *s, const char *match, int n);

/* Whole answers, yours: JSON with a length; a chunked head, then `text` as one chunk (NULL: none),
 * then the end if `ended`. */
char *script_json(unsigned status, const char *headers, const char *body);
char *script_chunk(const char *text, bool ended);
