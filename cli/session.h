/* cli/session.h: one run of the program: whom it talks to, how it prints, what it exits with. */
#pragma once
#include "base/json.h"
#include "cli/exit.h"
#include "net/net.h"
#include <stdbool.h>

struct session {
    struct net_client *client; /* owned */
    char *url;                 /* owned; without a slash at its end */
    char *authorization;       /* owned header line, or NULL without a token */
    char *ca_pem;              /* owned or NULL */
    char *token_from;          /* owned: where the token was found, or NULL */
    struct net_tls tls;
    bool json, wide; /* --output */
};

#define DEFAULT_URL "http://127.0.0.1:3000"
/* Reads SLUICE_URL, SLUICE_TOKEN (or SLUICE_TOKEN_FILE), SLUICE_CA_FILE, and what `sluice login`
 * stored; `url` (may be NULL) wins over SLUICE_URL.  EXIT_USAGE after a line on stderr when one of
 * them is wrong. */
ExitCode session_open(struct session *s, const char *url);
/* The same of a URL and a token (NULL: none) that are known. */
ExitCode session_begin(struct session *s, const char *url, const char *token);
void session_token(struct session *s, const char *token);
void session_done(struct session *s);
static inline void session_done_cleanup(struct session *s) {
    session_done(s);
}

/* A call of the API. */
struct api_call {
    const char *method;          /* NULL: GET */
    const char *path;            /* from api_path() */
    const json_t *json;          /* body; NULL: `text` */
    const char *text;            /* body as it is, or NULL */
    size_t text_len;             /* of `text`; 0: to its NUL */
    const char *content_type;    /* of `text` */
    const char *accept;          /* NULL: application/json */
    const char *if_match;        /* NULL: none */
    const char *idempotency_key; /* NULL: none; with one, the call may be repeated */
    bool repeatable; /* as every read: made again when its fate is unknown or the server busy */
    bool once;       /* never made again */
    int timeout_ms;  /* 0: 30 s */
};
struct api_answer {
    bool answered;
    unsigned status; /* when answered */
    json_t *json;    /* owned; NULL when the body is no JSON */
    char *text;      /* owned; the body as it came */
    size_t n;
    char *location, *content_type, *etag; /* owned or NULL */
    int retry_after_s;                    /* -1 when absent */
    char error[160];                      /* when not answered */
    bool may_have_acted;                  /* not answered, and it was no read */
};
/* "/api/v1" and `format`, whose every %s is one path segment or query value, encoded.  Yours. */
char *api_path(const char *format, ...);
/* Makes the call.  EXIT_DONE for 2xx, EXIT_REFUSED for other answers below 500, else
 * EXIT_UNREACHABLE (EXIT_TIMED_OUT for `not-confirmed`); prints nothing. */
ExitCode api_try(struct session *s, const struct api_call *call, struct api_answer *ret);
/* The same, and says on stderr (with --json: also on stdout) what went wrong. */
ExitCode api_do(struct session *s, const struct api_call *call, struct api_answer *ret);
void api_answer_done(struct api_answer *a);
static inline void api_answer_done_cleanup(struct api_answer *a) {
    api_answer_done(a);
}
/* All items of a list, over its pages, as one array in *ret (yours).  Errors are reported. */
ExitCode api_list(struct session *s, const char *path, json_t **ret);
/* The header lines and destination that every call has, for event streams: `headers` holds 8. */
void api_headers(const struct session *s, const char *headers[8]);

/* Says what went wrong with a call. */
void report_answer(const struct session *s, const struct api_answer *a);
/* What to do next about a problem of that code, or NULL. */
const char *advice_on(const char *code);
/* Says that the command line is wrong in some way, on stderr, and once usage_errors_json() was
 * called also as a JSON document on stdout.  Returns EXIT_USAGE. */
void usage_errors_json(void);
ExitCode usage_error(const char *format, ...) PRINTF(1, 2);

/* Prints one JSON document (a line in a pipe, indented on a terminal) on stdout. */
void print_json(const json_t *v);
/* Prints a text as it is; with --json as the one member of an object. */
void print_text(const struct session *s, const char *key, const char *text);
/* Prints one JSON line on stdout and flushes it. */
void print_json_line(const json_t *v);

/* The whole content of a file ("-": standard input) of at most 16 MiB, yours; NULL after a line on
 * stderr. */
char *read_input(const char *path);
/* The same of a file that may hold NULs. */
char *read_bytes(const char *path, size_t *ret_n);
