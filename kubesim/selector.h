/* kubesim/selector.h: which objects a selector means.  Every form becomes a LabelSelector
 * ({matchLabels, matchExpressions}) or a list of field requirements, as JSON. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

/* Parses "a=b,c!=d,e in (f,g),h,!i" to a LabelSelector; NULL when it is not one. */
json_t *selector_parse(const char *text);
/* Whether a LabelSelector matches; an empty one matches all, NULL none. */
bool selector_matches(const json_t *selector, const json_t *labels);
/* Whether each pair of `map` is among the labels; an empty map matches nothing here, as in a
 * Service. */
bool selector_map_matches(const json_t *map, const json_t *labels);

/* Parses "metadata.name=x,status.phase!=y" to [{path, value, negate}]; NULL when it is not one. */
json_t *fields_parse(const char *text);
bool fields_match(const json_t *fields, const json_t *body);
