/* cli/diff.h: what a dry run would change, as a unified diff of lines that read as YAML: pure, so
 * that a test can look at it. */
#pragma once
#include "cli/draw.h"

/* Appends the difference of two Kubernetes objects (NULL or null: there is none), under a head that
 * names `title`; what the API server keeps for itself (status, managedFields …) is left out.
 * Returns whether they differ. */
bool diff_objects(struct strbuf *b, const char *title, const json_t *before, const json_t *after,
                  const struct look *look);
/* Appends the answer of a dry run: its steps, changes and gates. */
void draw_plan(struct strbuf *b, const json_t *plan, const struct look *look);
