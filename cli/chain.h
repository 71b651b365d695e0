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

struct chain_report {
    bool good;
    char chain[CHAIN_NAME];
    int64_t records, first_seq, last_seq;
    char head[SHA256_HEX]; /* of the last line */
    int64_t past_head;     /* records after the head that was given */
    /* when not good: */
    size_t line;      /* from 1; 0: the whole file */
    const char *kind; /* "changed", "removed", "inserted", "re-ordered", "cut", "not-a-record",
                         "other-chain" */
    char text[512];   /* a sentence */
};

/* `head`: 64 hex digits of a head kept elsewhere, or NULL. */
void chain_verify(FILE *from, const char *head, struct chain_report *ret);
