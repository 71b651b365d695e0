/* Manifests from YAML to what a deployment would apply; and the same objects as the cache trims
 * them. */
#include "base/cleanup.h"
#include "kube/watch.h"
#include "kube/yaml.h"
#include "rollout/documents.h"
#include "tests/fuzz/fuzz.h"

static json_t *spec_new(void) {
    return json_parse(
        "{\"namespace\":\"production\",\"container\":\"app\",\"blue_green\":{\"service\":\"web\","
        "\"selector_key\":\"color\",\"colors\":{"
        "\"blue\":{\"deployment\":\"web-blue\",\"service\":\"web-blue\"},"
        "\"green\":{\"deployment\":\"web-green\",\"service\":\"web-green\"}}}}");
}

static void trimmed(const json_t *document) {
    for (int kind = 0; kind < KUBE_WATCHED; kind++) {
        json_auto_t *copy = json_deep_copy(document);

        if (json_is_object(copy))
            kube_object_trim(copy, (KubeKind)kind);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static json_t *spec;
    _cleanup_(arena_done) struct arena arena = {0};
    json_auto_t *documents = NULL, *rendered = NULL;
    struct document_limits limits = {
        .color = COLOR_GREEN, .version = "1.4.0", .image = "registry.example/web:1.4.0"};
    const char *why = NULL;
    char line[200];
    json_t *document;
    size_t i;

    limits.spec = spec = spec ? spec : spec_new();
    documents = kube_yaml_documents((const char *)bytes, n, line, sizeof line);
    if (!documents)
        return 0;
    json_array_foreach(documents, i, document) trimmed(document);
    rendered = documents_render(documents, &limits, &arena, &why);
    FUZZ_HOLDS(rendered || why);
    json_array_foreach(rendered, i, document) FUZZ_HOLDS(
        !strcmp(json_str(json_object_get(document, "metadata"), "namespace", ""), "production"));
    FUZZ_HOLDS(!rendered || documents_find(rendered, "Deployment", "web-green"));
    return 0;
}
