/* handlers/routes.h: the one table of routes. */
#pragma once
#include "http/http.h"

extern const struct route routes[]; /* ended by a NULL operation */
