/* Cursors, event ids and the positions in them; lists of entity tags.  Two lines: a cursor's text
 * or a bare position, and a list of tags.  record.c is included for its position_read, which only a
 * database would show otherwise. */
#include "db/record.c"
#include "http/page.h"
#include "tests/fuzz/fuzz.h"

static void position(const char *text) {
    static const struct record_query one = {.chain = "app/prod"}, all = {0};
    struct position p;

    if (position_read(&one, text, &p))
        FUZZ_HOLDS(strlen(p.seq) <= 18);
    if (position_read(&all, text, &p))
        FUZZ_HOLDS(strlen(p.chain) < CHAIN_TEXT && strlen(p.xid) <= 18);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_(arena_done) struct arena arena = {0};
    _cleanup_free_ char *line = fuzz_line(&bytes, &n), *list = fuzz_text(bytes, n);
    char *decoded;

    if (!line)
        return 0;
    position(line);
    FUZZ_HOLDS(strlen(line) > 1000 ||
               !strcmp(cursor_decode(&arena, cursor_encode(&arena, line)), line));
    decoded = cursor_decode(&arena, line);
    if (decoded)
        position(decoded);
    etag_listed(list, "7");
    etag_listed(list, line);
    return 0;
}
