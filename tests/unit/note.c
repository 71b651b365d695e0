/* tests/unit/note.c: signed notes against published ones, and every way to spoil one. */
#include "base/note.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "tests/support/suite.h"
#include <string.h>

/* Published with Go's package golang.org/x/mod/sumdb/note. */
#define NEUMANN_KEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define NEUMANN_TEXT                                                                               \
    "If you think cryptography is the answer to your problem,\n"                                   \
    "then you don't know what your problem is.\n"
#define NEUMANN_LINE                                                                               \
    "\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKv" \
    "qfqdngotpRZb6KE6RyyBwJnAM=\n"
#define NEUMANN NEUMANN_TEXT "\n" NEUMANN_LINE
/* Of the same person's private key there: the seed as PKCS #8. */
#define NEUMANN_PEM                                                                                \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MC4CAQAwBQYDK2VwBCIEIIEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n"                           \
    "-----END PRIVATE KEY-----\n"
#define OTHER_LINE                                                                                 \
    "\xe2\x80\x94 example.com/x "                                                                  \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"                         \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

static NoteVerdict open_with(const char *key, const char *note, size_t *ret_n) {
    struct note_keys *keys = note_keys_new();
    NoteVerdict verdict;

    if (key)
        ck_assert_msg(note_keys_add(keys, key), "%s", key);
    verdict = note_open(note, strlen(note), keys, ret_n);
    note_keys_free(keys);
    return verdict;
}

START_TEST(note__published_vectors) {
    size_t n;

    ck_assert_int_eq(open_with(NEUMANN_KEY, NEUMANN, &n), NOTE_GOOD);
    ck_assert_uint_eq(n, strlen(NEUMANN_TEXT));
}
END_TEST

START_TEST(note__open_judges) {
    static const struct {
        const char *what, *note;
        NoteVerdict verdict;
    } cases[] = {
        {"as it is", NEUMANN, NOTE_GOOD},
        {"changed text", "x" NEUMANN, NOTE_BAD_SIGNATURE},
        {"another text", "hello\n\n" NEUMANN_LINE, NOTE_BAD_SIGNATURE},
        {"a second signer", NEUMANN OTHER_LINE, NOTE_GOOD},
        {"a second signer first", NEUMANN_TEXT "\n" OTHER_LINE NEUMANN_LINE, NOTE_GOOD},
        {"only somebody else", NEUMANN_TEXT "\n" OTHER_LINE, NOTE_UNKNOWN_KEY},
        {"twice", NEUMANN NEUMANN_LINE, NOTE_GOOD},
        {"paragraphs", "\n" NEUMANN, NOTE_BAD_SIGNATURE},
        {"empty", "", NOTE_MALFORMED},
        {"no text", "\n" NEUMANN_LINE, NOTE_MALFORMED},
        {"no text at all", NEUMANN_LINE, NOTE_MALFORMED},
        {"no signature", NEUMANN_TEXT "\n", NOTE_MALFORMED},
        {"no empty line", NEUMANN_TEXT NEUMANN_LINE, NOTE_MALFORMED},
        {"cut", NEUMANN_TEXT "\n\xe2\x80\x94 PeterNeumann x08go/ZJ", NOTE_MALFORMED},
        {"a line after", NEUMANN "x\n", NOTE_MALFORMED},
        {"hyphen", NEUMANN_TEXT "\n- PeterNeumann x08go/ZJ\n", NOTE_MALFORMED},
        {"no name", NEUMANN_TEXT "\n\xe2\x80\x94  x08go/ZJ\n", NOTE_MALFORMED},
        {"plus", NEUMANN_TEXT "\n\xe2\x80\x94 a+b x08go/ZJ\n", NOTE_MALFORMED},
        {"no base64", NEUMANN_TEXT "\n\xe2\x80\x94 PeterNeumann x08g!\n", NOTE_MALFORMED},
        {"only an id", NEUMANN_TEXT "\n\xe2\x80\x94 PeterNeumann x08gow==\n", NOTE_MALFORMED},
        {"short", NEUMANN_TEXT "\n\xe2\x80\x94 PeterNeumann x08go/ZJ\n", NOTE_BAD_SIGNATURE},
        {"tab", "a\tb\n\n" NEUMANN_LINE, NOTE_MALFORMED},
        {"carriage return", "a\r\n\r\n" NEUMANN_LINE, NOTE_MALFORMED},
    };
    size_t n;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(open_with(NEUMANN_KEY, cases[i].note, &n) == cases[i].verdict, "%s: %d",
                      cases[i].what, open_with(NEUMANN_KEY, cases[i].note, &n));
    ck_assert_int_eq(open_with(NULL, NEUMANN, &n), NOTE_UNKNOWN_KEY);
}
END_TEST

/* Whatever single byte is changed, the text is not taken for what was signed. */
START_TEST(note__no_changed_byte_is_good) {
    char note[] = NEUMANN;
    size_t n;

    for (size_t i = 0; i < strlen(NEUMANN); i++) {
        note[i] ^= 1;
        ck_assert_msg(open_with(NEUMANN_KEY, note, &n) != NOTE_GOOD, "byte %zu", i);
        note[i] ^= 1;
    }
}
END_TEST

START_TEST(note__sign_as_published) {
    struct note_signer *signer = note_signer_new(NEUMANN_PEM, "PeterNeumann");
    _cleanup_free_ char *note = NULL, *vkey = NULL, *pem = NULL;
    size_t n;

    ck_assert_ptr_nonnull(signer);
    note = note_sign(signer, NEUMANN_TEXT);
    vkey = note_signer_vkey(signer);
    pem = note_signer_pem(signer);
    note_signer_free(signer);
    ck_assert_str_eq(note, NEUMANN);
    ck_assert_str_eq(vkey, NEUMANN_KEY);
    ck_assert_int_eq(open_with(pem, NEUMANN, &n), NOTE_GOOD);
}
END_TEST

START_TEST(note__new_keys_sign) {
    _cleanup_free_ char *pem = note_key_new(), *other = note_key_new(), *note, *public;
    struct note_signer *signer = note_signer_new(pem, "a/b");
    size_t n;

    ck_assert_str_ne(pem, other);
    note = note_sign(signer, "text\n");
    public = note_signer_pem(signer);
    note_signer_free(signer);
    ck_assert_int_eq(open_with(public, note, &n), NOTE_GOOD);
    ck_assert_int_eq(open_with(NEUMANN_KEY, note, &n), NOTE_UNKNOWN_KEY);
}
END_TEST

START_TEST(note__keys_are_refused) {
    static const char *const bad_public[] = {
        "",
        "x",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        NEUMANN_PEM,
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegw",
        "PeterNeumann+c74f20a3",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    };
    static const char *const bad_names[] = {"", "a b", "a+b", "\xc3\xa4", "a\n", "\x7f"};
    struct note_keys *keys = note_keys_new();

    for (size_t i = 0; i < sizeof bad_public / sizeof *bad_public; i++)
        ck_assert_msg(!note_keys_add(keys, bad_public[i]), "%s", bad_public[i]);
    note_keys_free(keys);
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++)
        ck_assert_ptr_null(note_signer_new(NEUMANN_PEM, bad_names[i]));
    ck_assert_ptr_null(note_signer_new("", "a"));
    ck_assert_ptr_null(note_signer_new("-----BEGIN ", "a"));
}
END_TEST

int main(void) {
    return RUN_SUITE("note", 30, note__published_vectors, note__open_judges,
                     note__no_changed_byte_is_good, note__sign_as_published, note__new_keys_sign,
                     note__keys_are_refused);
}
