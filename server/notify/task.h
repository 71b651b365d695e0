/* notify/task.h: the tasks of notify.c.  Private to notify/. */
#pragma once
#include "net/net.h"
#include "notify/notify.h"

enum { TASK_ERROR = 200, CHECKPOINT_NAME = 64 };

typedef enum TaskResult {
    TASK_IDLE,
    TASK_MORE,
    TASK_FAILED,
    TASK_PAUSES, /* after a failure, which still is one */
} TaskResult;

struct work {
    struct notify_settings in;
    struct note_signer *signer; /* NULL: makes none */
    struct net_client *client;  /* NULL: sends none */
    struct net_policy policy;
    bool unsent;                /* the last try to send failed */
    char kept[CHECKPOINT_NAME]; /* the directory's last file; "": not known */
};

/* One step; *ret_number: the checkpoint that it made, wrote or sent, if any.  With TASK_FAILED,
 * why.
 */
typedef TaskResult task_fn(struct work *w, int64_t *ret_number, char reterr[TASK_ERROR]);
task_fn checkpoint_make, checkpoint_keep, checkpoint_send;

/* "0000000042-3f2a9c0d11e4b5a6": number and the beginning of the text's hash (given as base64), so
 * that no other checkpoint has it.  Returns `text`. */
char *checkpoint_name(int64_t number, const char *hash, char text[CHECKPOINT_NAME]);
