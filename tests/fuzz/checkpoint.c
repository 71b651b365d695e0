/* Checkpoints of the record.  The first byte says how the rest is read: 's': texts, ended by NUL
 * each, which are signed here, since nobody guesses a signature; 'k': a public key; anything else:
 * a file of notes as it is. */
#include "cli/checkpoint.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "tests/fuzz/fuzz.h"
#include <sys/mman.h>
#include <unistd.h>

/* A chain, as an export has it. */
static const char chain[] =
    "{\"v\":1,\"chain\":\"web/prod\",\"seq\":1,\"prev\":"
    "\"0000000000000000000000000000000000000000000000000000000000000000\"}\n";

enum { TEXTS = 8 };

static void signed_texts(struct strbuf *out, const struct note_signer *signer, const uint8_t *bytes,
                         size_t n) {
    for (int texts = 0; n && texts < TEXTS; texts++) {
        _cleanup_free_ char *part = fuzz_text(bytes, n), *text = xasprintf("%s\n", part);
        _cleanup_free_ char *note = note_sign(signer, text);
        size_t step = strlen(part) + 1;

        strbuf_adds(out, note);
        bytes += step < n ? step : n;
        n -= step < n ? step : n;
    }
}

static void judged(const struct note_keys *keys, const char *bytes, size_t n) {
    _cleanup_(checkpoints_done) struct checkpoints c = {0};
    struct chain_report report;
    char path[64], why[256] = "";
    static int fd = -1;
    FILE *file;

    if (fd < 0)
        fd = memfd_create("checkpoints", MFD_CLOEXEC);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes, n, 0) != (ssize_t)n)
        die("no file in memory");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    FUZZ_HOLDS(checkpoints_read(path, keys, &c, why, sizeof why));
    FUZZ_HOLDS(c.kind || (c.first >= 1 && c.first <= c.last));
    for (size_t i = 0; i + 1 < c.n_chains; i++)
        FUZZ_HOLDS(strcmp(c.chains[i].name, c.chains[i + 1].name) < 0);
    file = fmemopen((void *)(uintptr_t)chain, sizeof chain - 1, "r");
    chain_verify(file, NULL, &c, &report);
    fclose(file);
    FUZZ_HOLDS(report.good || (report.kind && *report.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static struct note_signer *signer;
    static struct note_keys *keys;
    _cleanup_(strbuf_done) struct strbuf notes = STRBUF(1 << 20);

    if (!signer) {
        _cleanup_free_ char *pem = note_key_new(), *public = NULL;

        signer = note_signer_new(pem, "sluice.example");
        public = note_signer_vkey(signer);
        keys = note_keys_new();
        FUZZ_HOLDS(note_keys_add(keys, public));
    }
    if (n < 1)
        return 0;
    if (*bytes == 'k') {
        struct note_keys *none = note_keys_new();
        _cleanup_free_ char *text = fuzz_text(bytes + 1, n - 1);

        note_keys_add(none, text);
        note_keys_free(none);
        return 0;
    }
    if (*bytes == 's')
        signed_texts(&notes, signer, bytes + 1, n - 1);
    else
        strbuf_add(&notes, bytes, n);
    if (notes.len)
        judged(keys, notes.data, notes.len);
    return 0;
}
