/* openapi/embed.c: a build tool: openapi.yaml as compact JSON, as the bytes of a C array.  A
 * document that is no YAML fails the build. */
#include "base/cleanup.h"
#include "base/json.h"
#include "kube/yaml.h"
#include <stdio.h>
#include <string.h>

static char *read_all(const char *path, size_t *ret_n) {
    FILE *in = fopen(path, "rb");
    char *text = xmalloc(KUBE_YAML_BYTES + 1);

    if (!in)
        die("%s cannot be read", path);
    *ret_n = fread(text, 1, KUBE_YAML_BYTES + 1, in);
    fclose(in);
    return text;
}

int main(int argc, char **argv) {
    char line[256] = "";
    size_t n = 0;
    FILE *out;

    if (argc != 3)
        die("usage: embed_openapi openapi.yaml OUT");
    _cleanup_free_ char *text = read_all(argv[1], &n);
    json_auto_t *documents = kube_yaml_documents(text, n, line, sizeof line);

    if (!documents || json_array_size(documents) != 1)
        die("%s: %s", argv[1], documents ? "not one document" : line);
    _cleanup_free_ char *json =
        json_dumps(json_array_get(documents, 0), JSON_COMPACT | JSON_ENSURE_ASCII);

    if (!json)
        die("out of memory");
    out = fopen(argv[2], "wb");
    if (!out)
        die("%s cannot be written", argv[2]);
    for (size_t i = 0; json[i]; i++)
        fprintf(out, "%d,%s", json[i], i % 32 == 31 ? "\n" : "");
    fprintf(out, "0\n");
    return fclose(out) ? 1 : 0;
}
