/* config/env_file.h: SLUICE_ENV_FILE: settings as lines NAME=value, read again at each reload. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Whether every line is empty, a comment (#) or NAME=value, each name once, and a setting's that
 * the environment does not set too (`known` says which are).  false with a line in reterr, without
 * values. */
bool env_file_check(const char *text, bool (*known)(const char *name), char *reterr, size_t n);
/* Yours; NULL: it is not there, or empty.  One pair of quotes around a value is not part of it. */
char *env_file_get(const char *text, const char *name);
