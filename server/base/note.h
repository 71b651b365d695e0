/* base/note.h: C2SP signed notes (c2sp.org/signed-note) with Ed25519 keys.
 *
 * A note is a text that ends in a newline, an empty line, and signature lines: "— NAME
 * BASE64(key id ‖ signature)".  The key id is the first 4 bytes of SHA-256(name ‖ "\n" ‖ 01 ‖
 * public key).  Nothing here is shared but read: any thread. */
#pragma once
#include "base/status.h"
#include <stdbool.h>

enum { NOTE_TEXT_MAX = 16 << 20, NOTE_SIGNATURES_MAX = 64, NOTE_KEY_NAME_MAX = 255 };

/* Whether it may be a key's name: printable ASCII without spaces and plus signs. */
bool note_name_valid(const char *name);

struct note_signer;
/* From a private key as PEM (PKCS #8); NULL when it is no Ed25519 key or the name is none. */
struct note_signer *note_signer_new(const char *pem, const char *name);
void note_signer_free(struct note_signer *s); /* NULL-safe */
/* The note of `text`, which ends in a newline; yours. */
char *note_sign(const struct note_signer *s, const char *text);
/* The public key: as PEM, and as a verifier key, "NAME+ID+BASE64(01 ‖ key)"; yours. */
char *note_signer_pem(const struct note_signer *s);
char *note_signer_vkey(const struct note_signer *s);

/* A new private key as PEM (PKCS #8); yours. */
char *note_key_new(void);

/* Public keys that are trusted. */
struct note_keys;
struct note_keys *note_keys_new(void);
/* Adds one, as PEM or as a verifier key; false when the text is neither. */
bool note_keys_add(struct note_keys *k, const char *text);
void note_keys_free(struct note_keys *k); /* NULL-safe */

typedef enum NoteVerdict {
    NOTE_GOOD, /* a trusted key signed it, and no signature by a trusted key is wrong */
    NOTE_MALFORMED,
    NOTE_UNKNOWN_KEY,   /* nobody trusted signed it */
    NOTE_BAD_SIGNATURE, /* a signature in the name of a trusted key is wrong */
} NoteVerdict;
/* Judges a note of n bytes; *ret_text_n: how many of them are the text. */
NoteVerdict note_open(const char *note, size_t n, const struct note_keys *keys, size_t *ret_text_n);

/* Standard base64 with padding of SHA-256; `text` holds 45.  Returns it. */
enum { NOTE_HASH = 45 };
char *note_hash(const char *bytes, size_t n, char text[NOTE_HASH]);
