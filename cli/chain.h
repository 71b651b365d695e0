/* cli/chain.h: whether an exported audit chain is what was written, and if not, what was done to
 * it.
 *
 * Needs nothing but the file: each line's `prev` is the SHA-256 of the line before it, without its
 * newline. */
#pragma once
#include "base/ids.h"
#include <stdbool.h>
#include <stdio.h>

enum { CHAIN_NAME = 136 };

struct checkpoints;
struct mark;

struct chain_report {
    bool good;
    char chain[CHAIN_NAME];
    int64_t records, first_seq, last_seq;
    char head[SHA256_HEX]; /* of the last line */
    /* What shows its end and a chain written anew: */
    bool against_head;
    const struct mark *mark; /* the last checkpoint that it was held against; borrowed from them */
    int64_t newer;           /* records after that head, or after that checkpoint */
    /* when not good: */
    size_t line;      /* from 1; 0: the whole file */
    int64_t seq;      /* of the record that is wrong, or the first one missing; 0: not known */
    const char *kind; /* "changed", "removed", "inserted", "re-ordered", "cut", "not-a-record",
                         "other-chain", "rewritten", "no-checkpoint" */
    char text[512];   /* a sentence */
};

/* `head`: 64 hex digits of a head kept elsewhere, or NULL.  `checkpoints`: or NULL. */
void chain_verify(FILE *from, const char *head, const struct checkpoints *checkpoints,
                  struct chain_report *ret);
