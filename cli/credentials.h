/* cli/credentials.h: what `sluice login` keeps: a server and an API key, in a file that only its
 * owner can read. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { CREDENTIALS_ERROR = 512, KEY_MOST = 8192 };

struct credentials {
    char *url, *key; /* owned; NULL when nothing is stored */
};
void credentials_done(struct credentials *c);
static inline void credentials_done_cleanup(struct credentials *c) {
    credentials_done(c);
}

/* Where: $XDG_CONFIG_HOME/sluice/credentials.json, or below ~/.config.  Yours; NULL without a home.
 */
char *credentials_path(void);
/* false with one line in reterr (room for CREDENTIALS_ERROR) when there is a file that is not to be
 * trusted (another's, a link, one that others may read) or does not hold what it should. */
bool credentials_load(struct credentials *ret, char *reterr);
/* Replaces what was stored, all of it or nothing; false with one line in reterr. */
bool credentials_store(const char *url, const char *key, char *reterr);
/* false with one line in reterr; *ret_was_there is whether anything was stored. */
bool credentials_forget(bool *ret_was_there, char *reterr);

/* Whether it may stand in a header. */
bool key_valid(const char *key);
