/* domain/environment.h: rules for the body of an environment that types and ranges alone cannot
 * say, and its full form with every default filled in. */
#pragma once
#include "base/json.h"

enum { CHECKS_MAX = 16, CHECK_HEADERS_MAX = 16, CHECK_JSON_MAX = 32 };

/* Adds {field, code, detail} rows to errors.  The body's types and ranges hold already. */
void environment_check(const json_t *body, json_t *errors);
/* The field (a pointer) that asks for what a later issue brings, with a sentence; NULL when none
 * does. */
const char *environment_unsupported(const json_t *body, const char **ret_sentence);
/* The body in the order of api.md with its defaults; yours.  Of a stored spec the same spec. */
json_t *environment_spec(const json_t *body);

/* The objects that no other environment may name: [{kind, name}]; yours. */
json_t *environment_objects(const json_t *spec);
/* Whether it lives somewhere else, or with other objects: cluster, namespace, Services, workloads,
 * selector key. */
bool environment_moved(const json_t *before, const json_t *after);

bool label_key_valid(const char *key);
bool object_name_valid(const char *name); /* of a Deployment: a DNS subdomain */
bool pointer_valid(const char *pointer);  /* RFC 6901 */
