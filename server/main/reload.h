/* main/reload.h: settings that are taken over while the server runs. */
#pragma once
#include "config/config.h"
#include "main/server.h"
#include <sys/stat.h>

struct reload {
    struct server *server;
    struct kept_config *kept; /* owned: what is in effect, before it what was */
    struct stat tls[2];       /* the files of the certificate and its key, as they were last */
    char refused[512];        /* why they were not taken over, as the log has it */
    json_t *unrecorded;       /* owned: of a record that the database did not take yet */
};
/* After server_start. */
void reload_begin(struct reload *r, struct server *s);
/* Reads everything again. */
void reload_all(struct reload *r);
/* Looks whether the certificate's files changed, and what is still to be recorded; to be called
 * every RELOAD_LOOK_S seconds. */
enum { RELOAD_LOOK_S = 2 };
void reload_look(struct reload *r);
void reload_done(struct reload *r); /* after server_stop */
