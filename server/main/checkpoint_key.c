/* main/checkpoint_key.c: `sluiced checkpoint-key`: the key that signs checkpoints of the record. */
#include "base/cleanup.h"
#include "base/note.h"
#include "config/config.h"
#include "main/commands.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char *checkpoints_line(const struct config *c) {
    struct note_signer *signer =
        c->checkpoint_key ? note_signer_new(c->checkpoint_key, c->checkpoint_name) : NULL;
    _cleanup_free_ char *vkey = signer ? note_signer_vkey(signer) : NULL;

    note_signer_free(signer);
    if (!vkey)
        return xstrdup("none are made: SLUICE_CHECKPOINT_KEY is not set");
    return xasprintf("every %" PRId64 " s or %" PRId64 " records, %s, %s, signed as %s",
                     c->checkpoint_s, c->checkpoint_records,
                     c->checkpoint_dir ? "into files" : "no files",
                     c->checkpoint_url ? "sent" : "not sent", vkey);
}

/* Never over a file that is there: it may hold the key of all checkpoints so far. */
static int key_write(const char *path, const char *pem) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, pem, strlen(pem)) == (ssize_t)strlen(pem) && fsync(fd) == 0;
    int failed = errno;

    if (fd >= 0)
        good = close(fd) == 0 && good;
    return good ? EXIT_DONE : failure("checkpoint-key: %s: %s", path, strerror(failed));
}

static int key_print(const char *pem) {
    struct note_signer *signer = note_signer_new(pem, "sluice");
    _cleanup_free_ char *public = signer ? note_signer_pem(signer) : NULL;

    note_signer_free(signer);
    return fputs(public, stdout) < 0;
}

int command_checkpoint_key(int argc, char **argv) {
    _cleanup_(config_done) struct config config = {0};
    char line[400];

    if (argc == 3 && !strcmp(argv[1], "--new")) {
        _cleanup_free_ char *pem = note_key_new();
        int status = key_write(argv[2], pem);

        status = status == EXIT_DONE ? key_print(pem) : status;
        explicit_bzero(pem, strlen(pem));
        return status;
    }
    if (argc > 1)
        return usage_error("checkpoint-key takes only --new FILE");
    if (!config_load_for(&config, 0, line, sizeof line))
        return failure("%s", line);
    if (!config.checkpoint_key)
        return failure("SLUICE_CHECKPOINT_KEY is not set (checkpoint-key --new FILE makes a key)");
    return key_print(config.checkpoint_key);
}
