/* kube/yaml.h: YAML text as JSON values, for manifests and kubeconfig files. */
#pragma once
#include "base/json.h"
#include <stddef.h>

enum { KUBE_YAML_BYTES = 1 << 20, KUBE_YAML_DEPTH = 32, KUBE_YAML_DOCUMENTS = 64 };

/* The documents of `text` as a new array; those that hold nothing are left out.  Plain scalars are
 * read by YAML 1.2's core schema, but 0644 is octal as kubectl reads it; quoted ones are strings.
 * NULL, with one line that names the line in reterr, when the text is malformed, not UTF-8, larger,
 * deeper or in more documents than the limits above, or holds a duplicate key, an anchor, an alias,
 * a NUL, a number that JSON cannot say, or a key or tag that JSON has no form for. */
json_t *kube_yaml_documents(const char *text, size_t n, char *reterr, size_t nerr);
