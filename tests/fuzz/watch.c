/* The bytes of a watch, in pieces of the length that the first byte says, of the kind that the
 * second one says. */
#include "kube/watch.h"
#include "tests/fuzz/fuzz.h"

static bool on_line(void *ctx, const char *line, size_t n) {
    return kube_watching_event(ctx, line, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static char name[] = "c";
    struct kube_clusters set = {0};
    struct kube_cluster cluster = {.name = name, .set = &set};
    struct kube_watching w = {.cluster = &cluster, .namespace_ = "n"};
    size_t piece, at;

    if (n < 2)
        return 0;
    pthread_mutex_init(&cluster.lock, NULL);
    piece = bytes[0] ? bytes[0] : 4096;
    w.kind = bytes[1] % KUBE_WATCHED;
    for (at = 2; at < n; at += piece) {
        size_t length = n - at < piece ? n - at : piece;
        char *copy = xmalloc(length);
        bool more;

        memcpy(copy, bytes + at, length);
        more = kube_lines_feed(&w.lines, copy, length, on_line, &w);
        free(copy);
        if (!more) {
            FUZZ_HOLDS(w.verdict != WATCH_GOES_ON);
            if (w.verdict == WATCH_BROKEN) {
                json_auto_t *text = json_string(w.fault.message); /* only if it is UTF-8 */

                FUZZ_HOLDS(text && *w.fault.message && !strchr(w.fault.message, '\n'));
            }
            break;
        }
    }
    kube_watching_done(&w);
    pthread_mutex_destroy(&cluster.lock);
    return 0;
}
