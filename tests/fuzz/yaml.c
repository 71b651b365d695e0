/* YAML: what was read, written as JSON (which is YAML) and read again, is the same. */
#include "kube/yaml.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

/* Holds a character that YAML takes for a line's end, and JSON does not. */
static bool has_line_ends(const char *text) {
    return strstr(text, "\xc2\x85") || strstr(text, "\u2028") || strstr(text, "\u2029");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    json_auto_t *documents = NULL;
    char *text = xmalloc(n), why[200] = "";
    json_t *document;
    size_t i;

    memcpy(text, bytes, n);
    documents = kube_yaml_documents(text, n, why, sizeof why);
    free(text);
    FUZZ_HOLDS(documents || (*why && !strchr(why, '\n')));
    json_array_foreach(documents, i, document) {
        _cleanup_free_ char *written = json_text(document);
        json_auto_t *again = NULL;

        FUZZ_HOLDS(written);
        again = kube_yaml_documents(written, strlen(written), why, sizeof why);
        /* refused: a control character, or a key longer than libyaml takes */
        FUZZ_HOLDS(!again || has_line_ends(written) ||
                   json_equal(json_array_get(again, 0), document));
    }
    return 0;
}
