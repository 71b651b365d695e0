/* worker/hands.h: other hands on the objects that a job writes (design.md, Other hands): a forward
 * write stops before a change of theirs, a backward one overwrites it and says what. */
#pragma once
#include "worker/write.h"

/* Whether a forward write has to stop: somebody else changed the object since our last write, or
 * since resolve.  Then *ret is WRITE_NO with what and who.  object: as GET found it. */
bool hands_stop(struct job *j, const struct intent *intent, const json_t *object,
                struct write_outcome *ret);
/* After a write: what it left, and, of a backward one, what it overwrote.  before: what it was sent
 * against, NULL when that is not known. */
void hands_note(struct job *j, const struct intent *intent, const json_t *before,
                const json_t *after, struct write_outcome *ret);
/* Puts both among the changes of the next commit. */
void hands_keep(struct job *j, const struct intent *intent, const struct write_outcome *w);
