/* auth/issuers.h: all issuers: the built-in one, and those of SLUICE_ISSUERS_FILE. */
#pragma once
#include "auth/auth.h"
#include "auth/jwks.h"
#include "auth/rules.h"

enum { ISSUERS_MAX = 64 };

struct issuers {
    size_t n;
    struct issuer list[1 + ISSUERS_MAX]; /* the built-in one first */
    struct jwks *jwks;
    json_t *file;          /* what the strings of the list belong to */
    struct arena arena;    /* and the rest */
    struct issuers *older; /* owned: what was in use before, which somebody may still look at */
    uint64_t generation; /* where that of the keys begins: tokens verified by others do not count */
};

/* Reads the file and all that it names but URLs.  NULL with one line in reterr. */
struct issuers *issuers_new(const struct auth_settings *in, char *reterr, size_t n);
void issuers_free(struct issuers *all); /* NULL-safe */
/* The one that is called so and signs so; NULL with a sentence in *reterr (static). */
const struct issuer *issuers_find(const struct issuers *all, const char *name, const char *alg,
                                  const char **reterr);

/* ---- for the files that read the configuration ---- */
struct issuer_reader {
    struct issuers *all;
    const char *path; /* of the file */
    size_t number;    /* of the issuer, from 1; 0: none yet */
    char *reterr;
    size_t n;
};
/* Writes the line about a field ("rules/0/kind", or NULL); false. */
bool issuer_bad(const struct issuer_reader *r, const char *field, const char *format, ...)
    PRINTF(3, 4);
/* Whether the object has only members of that list, ended by NULL; `field` is where it stands, with
 * a slash at the end, or "". */
bool issuer_fields(const struct issuer_reader *r, const json_t *object, const char *field,
                   const char *const *known);
/* Whether this can be a claim's name, or an RFC 6901 pointer to one. */
bool claim_name_valid(const json_t *name);
/* A list of 1 to max strings, or a single one where `single` is set, in the arena, ended by NULL;
 * NULL with the line written.  `bad` says what is wrong with one of them, or NULL. */
const char *const *issuer_strings(const struct issuer_reader *r, const json_t *v, const char *field,
                                  bool single, size_t max, const char *(*bad)(const char *));
/* The rules of an issuer: rules_read.c. */
bool rules_read(const struct issuer_reader *r, const json_t *in, struct issuer *ret);
