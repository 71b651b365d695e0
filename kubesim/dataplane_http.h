/* kubesim/dataplane_http.h: reads HTTP/1.x messages out of a byte stream as it passes, keeping only
 * what pods and Services look at.  Pure: no I/O, no allocation. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scan_at {
    SCAN_START, /* between messages */
    SCAN_HEAD,
    SCAN_LENGTH,
    SCAN_CHUNK_SIZE,
    SCAN_CHUNK,
    SCAN_TRAILER,
    SCAN_UNTIL_CLOSE, /* an answer whose end is the connection's */
    SCAN_ENDED,       /* a message is complete, SCANNED_END not yet told */
    SCAN_BROKEN,      /* not HTTP: every further byte is passed over */
};

enum scanned {
    SCANNED_ALL,  /* every byte was used, nothing happened */
    SCANNED_HEAD, /* a head is complete: the fields below are its own */
    SCANNED_END,  /* its message is complete */
    SCANNED_BAD,  /* not HTTP, once; `status` is the answer that a server gives (400, 431) */
};

struct http_scan {
    enum scan_at at;
    bool answers;  /* set by the caller: the stream carries answers, not requests */
    bool bodiless; /* set by the caller before an answer: it answers HEAD */
    /* of the message whose head was scanned last */
    unsigned status; /* answers */
    bool head, post; /* requests: the method is HEAD; it has a body */
    bool expects;    /* requests: Expect: 100-continue */
    bool close;      /* its connection ends with it */
    bool http10;
    char path[128];    /* requests, without the query; cut when longer */
    char version[128]; /* answers: X-Version; "" when absent */
    /* its own */
    bool chunked, sized, bad_head;
    uint64_t left;
    size_t head_bytes, line_len;
    char line[512]; /* the beginning of the current line */
};

/* Scans to the next happening and returns the number of bytes used; call again with the rest until
 * SCANNED_ALL (also with no bytes left). */
size_t http_scan(struct http_scan *s, const char *bytes, size_t n, enum scanned *ret);
