#include "kube/yaml.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "kube/yaml_scalar.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct reading {
    yaml_parser_t parser;
    char *reterr;
    size_t nerr;
    int depth;
};

static inline void yaml_event_delete_cleanup(yaml_event_t *e) {
    yaml_event_delete(e);
}

static json_t *read_value(struct reading *r, yaml_event_t *e);

static void PRINTF(3, 4) refuse(struct reading *r, yaml_mark_t at, const char *format, ...) {
    char why[160];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    snprintf(r->reterr, r->nerr, "line %zu: %s", at.line + 1, why);
    text_one_line(r->reterr); /* it may quote a key */
}

/* The next event; false with the reason when the text is malformed. */
static bool next_event(struct reading *r, yaml_event_t *e) {
    yaml_mark_t none = {0};

    if (yaml_parser_parse(&r->parser, e))
        return true;
    if (r->parser.error == YAML_MEMORY_ERROR)
        die("out of memory");
    memset(e, 0, sizeof(*e));
    if (r->parser.error == YAML_READER_ERROR)
        refuse(r, none, "%s",
               r->parser.problem ? r->parser.problem : "the text cannot be read as UTF-8");
    else
        refuse(r, r->parser.problem_mark, "%s",
               r->parser.problem ? r->parser.problem : "malformed YAML");
    return false;
}

static const char *text_of(const yaml_char_t *s) {
    return (const char *)s;
}

static bool tag_is(const yaml_char_t *tag, const char *name) {
    static const char prefix[] = "tag:yaml.org,2002:";
    const char *s = text_of(tag);

    return strncmp(s, prefix, sizeof(prefix) - 1) == 0 && strcmp(s + sizeof(prefix) - 1, name) == 0;
}

static bool tag_fits(const yaml_char_t *tag, const json_t *value) {
    if (tag_is(tag, "null"))
        return json_is_null(value);
    if (tag_is(tag, "bool"))
        return json_is_boolean(value);
    if (tag_is(tag, "int"))
        return json_is_integer(value);
    return tag_is(tag, "float") && json_is_number(value);
}

static json_t *read_scalar(struct reading *r, const yaml_event_t *e) {
    const char *text = text_of(e->data.scalar.value), *why = NULL;
    const yaml_char_t *tag = e->data.scalar.tag;
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    json_t *value;

    if (strlen(text) != e->data.scalar.length) {
        refuse(r, e->start_mark, "a NUL character");
        return NULL;
    }
    if (tag ? tag_is(tag, "str") || strcmp(text_of(tag), "!") == 0 : !plain)
        value = json_string(text);
    else
        value = yaml_scalar(text, &why);
    if (!value) {
        refuse(r, e->start_mark, "%s", why ? why : "text that is not UTF-8");
        return NULL;
    }
    if (tag && !json_is_string(value) && !tag_fits(tag, value))
        why = "the value does not fit its tag";
    else if (tag && json_is_string(value) && !tag_is(tag, "str") && strcmp(text_of(tag), "!") != 0)
        why = "a tag that JSON has no form for";
    if (why) {
        refuse(r, e->start_mark, "%s", why);
        json_decref(value);
        return NULL;
    }
    return value;
}

static json_t *read_sequence(struct reading *r) {
    json_auto_t *array = json_array();

    for (;;) {
        _cleanup_(yaml_event_delete) yaml_event_t e;
        json_t *item;

        if (!next_event(r, &e))
            return NULL;
        if (e.type == YAML_SEQUENCE_END_EVENT)
            return json_incref(array);
        item = read_value(r, &e);
        if (!item)
            return NULL;
        json_array_append_new(array, item);
    }
}

/* Reads the value of the key in `key_event` into `object`. */
static bool read_member(struct reading *r, const yaml_event_t *key_event, json_t *object) {
    const char *key = text_of(key_event->data.scalar.value);
    _cleanup_(yaml_event_delete) yaml_event_t e = {0};
    json_t *value;

    if (key_event->type != YAML_SCALAR_EVENT || key_event->data.scalar.anchor) {
        refuse(r, key_event->start_mark, "a key that is not plain text");
        return false;
    }
    if (strlen(key) != key_event->data.scalar.length) {
        refuse(r, key_event->start_mark, "a NUL character");
        return false;
    }
    if (json_object_get(object, key)) {
        refuse(r, key_event->start_mark, "duplicate key \"%s\"", key);
        return false;
    }
    if (!next_event(r, &e))
        return false;
    value = read_value(r, &e);
    return value && json_object_set_new(object, key, value) == 0;
}

static json_t *read_mapping(struct reading *r) {
    json_auto_t *object = json_object();

    for (;;) {
        _cleanup_(yaml_event_delete) yaml_event_t e;

        if (!next_event(r, &e))
            return NULL;
        if (e.type == YAML_MAPPING_END_EVENT)
            return json_incref(object);
        if (!read_member(r, &e, object))
            return NULL;
    }
}

static json_t *read_collection(struct reading *r, const yaml_event_t *e) {
    bool mapping = e->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *tag = mapping ? e->data.mapping_start.tag : e->data.sequence_start.tag;
    json_t *value;

    if (tag && !tag_is(tag, mapping ? "map" : "seq")) {
        refuse(r, e->start_mark, "a tag that JSON has no form for");
        return NULL;
    }
    if (r->depth == KUBE_YAML_DEPTH) {
        refuse(r, e->start_mark, "more than %d levels deep", KUBE_YAML_DEPTH);
        return NULL;
    }
    r->depth++;
    value = mapping ? read_mapping(r) : read_sequence(r);
    r->depth--;
    return value;
}

static bool anchored(const yaml_event_t *e) {
    return e->type == YAML_ALIAS_EVENT || (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor) ||
           (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor) ||
           (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor);
}

static json_t *read_value(struct reading *r, yaml_event_t *e) {
    if (anchored(e)) {
        refuse(r, e->start_mark, "anchors and aliases are not supported: write the value out");
        return NULL;
    }
    if (e->type == YAML_SCALAR_EVENT)
        return read_scalar(r, e);
    return read_collection(r, e);
}

/* Reads what follows a document's start.  False: refused. */
static bool read_document(struct reading *r, json_t *documents) {
    _cleanup_(yaml_event_delete) yaml_event_t e = {0}, end = {0};
    json_t *value;

    if (!next_event(r, &e))
        return false;
    value = read_value(r, &e);
    if (!value)
        return false;
    if (json_is_null(value)) {
        json_decref(value);
    } else {
        json_array_append_new(documents, value);
        if (json_array_size(documents) > KUBE_YAML_DOCUMENTS) {
            refuse(r, e.start_mark, "more than %d documents", KUBE_YAML_DOCUMENTS);
            return false;
        }
    }
    return next_event(r, &end); /* the document's end */
}

static json_t *read_stream(struct reading *r) {
    json_auto_t *documents = json_array();

    for (;;) {
        _cleanup_(yaml_event_delete) yaml_event_t e;

        if (!next_event(r, &e))
            return NULL;
        if (e.type == YAML_STREAM_END_EVENT)
            return json_incref(documents);
        if (e.type == YAML_DOCUMENT_START_EVENT && !read_document(r, documents))
            return NULL;
    }
}

json_t *kube_yaml_documents(const char *text, size_t n, char *reterr, size_t nerr) {
    struct reading r = {.reterr = reterr, .nerr = nerr};
    json_t *documents;

    if (n > KUBE_YAML_BYTES) {
        snprintf(reterr, nerr, "larger than %d bytes", KUBE_YAML_BYTES);
        return NULL;
    }
    if (!yaml_parser_initialize(&r.parser))
        die("out of memory");
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    documents = read_stream(&r);
    yaml_parser_delete(&r.parser);
    return documents;
}
