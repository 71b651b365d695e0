/* bench/audit/main.c: sluice-notes: what signing a checkpoint and verifying one costs, by the
 * number of chains that it names.  Prints one line of JSON.  Counts the thread's own time, so that
 * neighbours do not. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/note.h"
#include "base/strbuf.h"
#include <stdio.h>
#include <string.h>

enum { CALLS = 2000 };

static char *text_of(int chains) {
    struct strbuf text = STRBUF(1 << 20);

    strbuf_adds(&text, "sluice.example.com\n2\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                       "at 2026-11-25T01:20:30.123Z\n");
    for (int i = 0; i < chains; i++)
        strbuf_addf(&text, "chain app-%d/production 118 %064d\n", i, i);
    return strbuf_take(&text);
}

static json_t *measured(const struct note_signer *signer, const struct note_keys *keys,
                        int chains) {
    _cleanup_free_ char *text = text_of(chains), *note = note_sign(signer, text);
    double began = (double)clock_thread_us(), signed_us, verified_us;
    size_t n;

    for (int i = 0; i < CALLS; i++)
        free(note_sign(signer, text));
    signed_us = (double)clock_thread_us() - began;
    began = (double)clock_thread_us();
    for (int i = 0; i < CALLS; i++)
        if (note_open(note, strlen(note), keys, &n) != NOTE_GOOD)
            die("a note of our own is not good");
    verified_us = (double)clock_thread_us() - began;
    return json_pack("{s:i,s:i,s:f,s:f}", "chains", chains, "bytes", (int)strlen(note), "sign_us",
                     signed_us / CALLS, "verify_us", verified_us / CALLS);
}

int main(void) {
    _cleanup_free_ char *pem = note_key_new(), *vkey = NULL, *out = NULL;
    struct note_signer *signer = note_signer_new(pem, "sluice.example.com");
    struct note_keys *keys = note_keys_new();
    json_auto_t *all = json_array();

    vkey = note_signer_vkey(signer);
    note_keys_add(keys, vkey);
    for (int chains = 10; chains <= 1000; chains *= 10)
        json_array_append_new(all, measured(signer, keys, chains));
    out = json_text(all);
    puts(out);
    note_keys_free(keys);
    note_signer_free(signer);
    return 0;
}
