/* kubesim/requests.h: every request that the Kubernetes API got, for GET /requests. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct requests;
struct requests *requests_new(void);
void requests_free(struct requests *r); /* NULL-safe */
/* Notes a request; returns its number.  Strings are copied, NULL allowed. */
uint64_t requests_add(struct requests *r, const char *verb, const char *path, const char *query,
                      const char *user_agent, const char *traceparent, const char *body);
/* The answer's status; requests without an answer keep 0. */
void requests_code(struct requests *r, uint64_t n, unsigned code);
/* {"items": [{n, at, user_agent, verb, path, query, code, traceparent?, body?}]} of those numbered
 * above `after` and not before the time `since_us`; yours.  Only the newest some thousand are kept.
 */
json_t *requests_list(const struct requests *r, uint64_t after, int64_t since_us);
