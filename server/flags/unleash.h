/* flags/unleash.h: Unleash's documents and ours (flags/model.h), by one table of names. */
#pragma once
#include "base/json.h"
#include <stdbool.h>

/* {features, featureStrategies, featureEnvironments, dependencies, segments, …, sluice}: what
 * Unleash exports of an environment, of a document; yours.  A killed flag is not enabled there.
 * `sluice` has what Unleash has no place for: {flags: {name: {value_type, default_variant,
 * stale_after, requires_release}}, segments: {name: {description, constraints}}}. */
json_t *unleash_export_file(const json_t *document, const char *environment);

/* Whether two flags, or two segments, or parts of them, say the same, what is left out being what
 * it is taken for. */
bool unleash_same(const json_t *a, const json_t *b);

/* From the answer of /api/client/features (version 1 or 2) or an export of Unleash's
 * (`featureStrategies` beside `features`, of one environment); yours.  It always gives a document,
 * in which what does not map is for nobody; what that is, is named in errors as {field, code,
 * detail} rows whose pointers lead into `from`, FLAG_ERRORS_MAX at most.  Without errors the
 * document passes flag_model_check.
 * Segments get names that they may have (unleash_segment_name).  there: the document as it is so
 * far, of which stays what `from` has no word for; NULL: nothing is there. */
json_t *unleash_import(const json_t *from, const json_t *there, json_t *errors);

/* What /api/client/features answers of a document: {version, features, segments}; yours.  Flags are
 * as Unleash's clients are to see them: a killed one is not enabled, disabled strategies are left
 * out.  inline_segments: constraints of segments within the strategies, for clients that send no
 * Unleash-Client-Spec. */
json_t *unleash_export(const json_t *document, bool inline_segments);
