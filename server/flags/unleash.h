/* flags/unleash.h: Unleash's documents and ours (flags/model.h), by one table of names. */
#pragma once
#include "base/json.h"
#include <stdbool.h>

/* From the answer of /api/client/features (version 1 or 2) or an export of Unleash's
 * (`featureStrategies` beside `features`, of one environment); yours.  It always gives a document,
 * in which what does not map is for nobody; what that is, is named in errors as {field, code,
 * detail} rows whose pointers lead into `from`, FLAG_ERRORS_MAX at most.  Without errors the
 * document passes flag_model_check. */
json_t *unleash_import(const json_t *from, json_t *errors);

/* What /api/client/features answers of a document: {version, features, segments}; yours.  Flags are
 * as Unleash's clients are to see them: a killed one is not enabled, disabled strategies are left
 * out.  inline_segments: constraints of segments within the strategies, for clients that send no
 * Unleash-Client-Spec. */
json_t *unleash_export(const json_t *document, bool inline_segments);
