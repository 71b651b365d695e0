/* kube/config.h: private to kube/ and its tests. */
#pragma once
#include "kube/kube.h"

enum { KUBE_FILE_BYTES = 1 << 20 };

/* A whole file of at most KUBE_FILE_BYTES; yours, NUL-terminated, without NUL inside.  NULL with
 * one line. */
char *kube_file_read(const char *path, char *reterr, size_t n);
/* A token file's content without surrounding white space; NULL with one line when it cannot be read
 * or is no token. */
char *kube_token_read(const char *path, char *reterr, size_t n);
/* What makes `token` unfit for a header, or NULL. */
const char *kube_token_bad(const char *token);
/* kube_config_in_cluster() with everything that it takes from its surroundings. */
MUSTCHECK Status kube_config_service_account(const char *folder, const char *host, const char *port,
                                             struct kube_config *ret, char *reterr, size_t n);
