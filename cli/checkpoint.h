/* cli/checkpoint.h: signed checkpoints of the record (docs/audit.md), read and held against one
 * another. */
#pragma once
#include "base/clock.h"
#include "base/ids.h"
#include "base/note.h"
#include "cli/chain.h"

/* What a checkpoint says of a chain. */
struct mark {
    int64_t length, number; /* of the chain; of the checkpoint */
    char head[SHA256_HEX], at[TIME_TEXT];
};

struct marked_chain {
    char name[CHAIN_NAME];
    struct mark *marks; /* in the checkpoints' order, only where something is new */
    size_t n;
    int64_t seen; /* the last checkpoint that names it */
};

struct checkpoints {
    struct marked_chain *chains; /* by name */
    size_t n_chains;
    int64_t first, last;       /* numbers; 0 without any */
    char last_at[TIME_TEXT];   /* when the last one was made */
    char last_hash[NOTE_HASH]; /* of its text */
    /* the first thing that is wrong: */
    const char *kind; /* NULL: nothing; "none", "not-a-checkpoint", "unknown-key", "bad-signature",
                         "gap", "fork", "re-ordered", "went-back", "rewritten" */
    int64_t number;   /* of the checkpoint; 0: not known */
    char text[512];   /* a sentence */
};

/* Reads a file of one or more checkpoints, or a folder of files *.checkpoint, and judges them.
 * Only what a trusted key signed counts.  false with one line in reterr when it cannot be read. */
bool checkpoints_read(const char *path, const struct note_keys *keys, struct checkpoints *ret,
                      char *reterr, size_t n);
/* Takes the notes of an open file, one after the other, and judges them; `name` is for messages. */
void checkpoints_take(struct checkpoints *c, const char *name, FILE *from,
                      const struct note_keys *keys);
void checkpoints_done(struct checkpoints *c);
static inline void checkpoints_done_cleanup(struct checkpoints *c) {
    checkpoints_done(c);
}
/* NULL when none names it. */
const struct marked_chain *checkpoints_chain(const struct checkpoints *c, const char *name);
