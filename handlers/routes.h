/* handlers/routes.h: the one table of routes. */
#pragma once
#include "http/http.h"

extern const struct route routes[];         /* ended by a NULL operation */
extern const struct route metrics_routes[]; /* of SLUICE_METRICS_LISTEN */
/* The table as JSON, for `sluiced dump-routes`: [{operation, method, path, scope, query[], body}],
 * where body is null or {media_type, max_bytes, schema: {name, fields: [{name, type, required,
 * min?, max?, words?, schema?}]}, raw?: {media_types, max_bytes}}.  Yours. */
json_t *routes_dump(const struct route *table);
