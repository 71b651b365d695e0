/* kubesim/discovery.h: what clients ask before they ask for objects: /version, /api, /apis,
 * resource lists, health. */
#pragma once
#include <stdbool.h>

struct call;
/* Answers when the path is one of these. */
bool discovery_answer(struct call *call);
