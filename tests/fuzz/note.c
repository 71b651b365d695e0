/* Signed notes and public keys, and the checkpoints in notes that a trusted key signed. */
#include "base/note.h"
#include "cli/checkpoint.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>

/* The seed is 32 bytes of 'k': nobody's key. */
static const char private_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIGtra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr\n"
    "-----END PRIVATE KEY-----\n";

static void judge(const char *bytes, size_t n, const struct note_keys *keys) {
    struct checkpoints found = {0};
    FILE *file = n ? fmemopen((void *)(uintptr_t)bytes, n, "r") : NULL;

    if (!file)
        return;
    checkpoints_take(&found, "input", file, keys);
    fclose(file);
    for (size_t i = 1; i < found.n_chains; i++)
        FUZZ_HOLDS(strcmp(found.chains[i - 1].name, found.chains[i].name) < 0);
    FUZZ_HOLDS(!found.kind || *found.text);
    checkpoints_done(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static struct note_signer *signer;
    static char *ours; /* its public key */
    struct note_keys *keys = note_keys_new();
    char *text = fuzz_text(bytes, n), *note;
    size_t text_n = strlen(text), got;

    if (!signer) {
        signer = note_signer_new(private_key, "fuzz.example.com");
        ours = note_signer_vkey(signer);
    }
    note_keys_add(keys, text);
    FUZZ_HOLDS(note_keys_add(keys, ours));
    FUZZ_HOLDS(note_open((const char *)bytes, n, keys, &got) != NOTE_GOOD || got < n);
    judge((const char *)bytes, n, keys);
    if (text_n && text[text_n - 1] == '\n') {
        note = note_sign(signer, text);
        judge(note, strlen(note), keys);
        free(note);
    }
    free(text);
    note_keys_free(keys);
    return 0;
}
