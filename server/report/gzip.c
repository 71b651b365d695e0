/* report/gzip.c: raw reports as they are kept. */
#define ZLIB_CONST
#include "report/report.h"
#include <stdlib.h>
#include <zlib.h>

enum { WINDOW = 15 + 16 /* gzip's header */, MEMORY = 8 };

unsigned char *report_gzip(const char *text, size_t n, size_t *ret_n) {
    z_stream z = {.next_in = (const Bytef *)text, .avail_in = (uInt)n};
    unsigned char *out;
    uLong most;

    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW, MEMORY, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        die("out of memory for zlib");
    most = deflateBound(&z, (uLong)n);
    out = xmalloc(most);
    z.next_out = out;
    z.avail_out = (uInt)most;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        die("zlib did not compress %zu bytes", n);
    *ret_n = z.total_out;
    deflateEnd(&z);
    return out;
}

char *report_gunzip(const unsigned char *bytes, size_t n, size_t size) {
    z_stream z = {.next_in = (const Bytef *)bytes, .avail_in = (uInt)n};
    char *out = xmalloc(size + 1);
    int said;

    if (inflateInit2(&z, WINDOW) != Z_OK)
        die("out of memory for zlib");
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)size + 1; /* one more would show */
    said = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if (said == Z_STREAM_END && z.total_out == size) {
        out[size] = '\0';
        return out;
    }
    free(out);
    return NULL;
}
