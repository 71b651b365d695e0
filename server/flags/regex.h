/* flags/regex.h: regular expressions whose time is bounded, whatever the pattern and the text:
 * RE2's syntax, which Unleash's clients have, without captures (the question is only: is it in
 * there?).
 *
 * Private to flags/.  Not understood and therefore refused: back references and looking around (RE2
 * has none either), \p{…}, \C and \Q…\E. */
#pragma once
#include "base/arena.h"
#include <stdbool.h>

enum { REGEX_PATTERN_MAX = 256, REGEX_PROGRAM_MAX = 1000, REGEX_REPEAT_MAX = 1000 };

struct regex;
/* In the arena; NULL: no regular expression, or one too large.  *ret_wrong: what is wrong with it,
 * a static sentence, or NULL. */
const struct regex *regex_compile(struct arena *arena, const char *pattern, bool fold,
                                  const char **ret_wrong);
/* Whether it matches anywhere in the text.  Allocates nothing; time at most n × the program. */
bool regex_matches(const struct regex *re, const char *text, size_t n);
