/* kube/yaml_scalar.h: private to kube/yaml.c. */
#pragma once
#include "base/json.h"

/* The value of a plain scalar; NULL with a reason when JSON has none. */
json_t *yaml_scalar(const char *s, const char **reterr);
