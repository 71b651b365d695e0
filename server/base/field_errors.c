#include "base/field_errors.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include <stdarg.h>
#include <stdio.h>

void field_error(json_t *errors, const char *field, const char *code, const char *format, ...) {
    char detail[512];
    va_list args;
    json_t *row = json_object();

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    json_object_set_new(row, "field", json_string(field));
    json_object_set_new(row, "code", json_string(code));
    if (json_object_set_new(row, "detail", json_string(detail))) /* cut within a character */
        json_object_set_new(row, "detail", json_string("This value is not valid."));
    json_array_append_new(errors, row);
}

char *field_below(const char *field, const char *key) {
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(1024 * 1024);

    strbuf_adds(&out, field);
    strbuf_adds(&out, "/");
    for (; *key; key++)
        if (*key == '~' || *key == '/')
            strbuf_adds(&out, *key == '~' ? "~0" : "~1");
        else
            strbuf_add(&out, key, 1);
    return strbuf_take(&out);
}
