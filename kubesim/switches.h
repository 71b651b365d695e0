/* kubesim/switches.h: when the selector of a Service changed, for GET /services/…/traffic. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct switches;
struct switches *switches_new(void);
void switches_free(struct switches *s); /* NULL-safe */
void switches_add(struct switches *s, const char *ns, const char *name, const json_t *selector);
/* [{at, selector}], oldest first, of those not before `since_us`; yours. */
json_t *switches_list(const struct switches *s, const char *ns, const char *name, int64_t since_us);
