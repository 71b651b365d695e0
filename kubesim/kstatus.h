/* kubesim/kstatus.h: what the API server says instead of an object.  A refusal is such a Status, or
 * NULL where there is none. */
#pragma once
#include "kubesim/kinds.h"
#include <jansson.h>

/* {kind: Status, status: Failure, reason, message, code}; yours. */
json_t *kstatus(unsigned code, const char *reason, const char *format, ...) PRINTF(3, 4);
/* The reason that goes with an HTTP status, for injected failures. */
const char *kstatus_reason(unsigned code);
unsigned kstatus_code(const json_t *status);

json_t *kstatus_not_found(const struct kind *k, const char *name);
json_t *kstatus_already_exists(const struct kind *k, const char *name);
json_t *kstatus_conflict(const struct kind *k, const char *name, const char *why);
/* The answer to a DELETE that removed the object. */
json_t *kstatus_deleted(const struct kind *k, const char *name, const char *uid);

/* Collects what is wrong with an object; kstatus_invalid() is NULL when nothing was. */
void cause_add(json_t *causes, const char *reason, const char *field, const char *format, ...)
    PRINTF(4, 5);
json_t *kstatus_invalid(const struct kind *k, const char *name, const json_t *causes);
