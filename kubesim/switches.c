#include "kubesim/switches.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "kubesim/store.h"

enum { KEPT = 10000 }; /* per Service */

struct switches {
    json_t *by_service; /* "namespace/name": [{at, at_us, selector}] */
};

struct switches *switches_new(void) {
    struct switches *s = xcalloc(1, sizeof *s);

    s->by_service = json_object();
    return s;
}

void switches_free(struct switches *s) {
    if (!s)
        return;
    json_decref(s->by_service);
    free(s);
}

void switches_add(struct switches *s, const char *ns, const char *name, const json_t *selector) {
    _cleanup_free_ char *key = xasprintf("%s/%s", ns, name);
    json_t *list = json_object_get(s->by_service, key);
    int64_t now = clock_now_us();
    char at[40];

    if (!list) {
        list = json_array();
        json_object_set_new(s->by_service, key, list);
    }
    if (json_array_size(list) == KEPT)
        json_array_remove(list, 0);
    json_array_append_new(list, json_pack("{s:s, s:I, s:O?}", "at", kube_micro_time(now, at),
                                          "at_us", (json_int_t)now, "selector", selector));
}

json_t *switches_list(const struct switches *s, const char *ns, const char *name,
                      int64_t since_us) {
    _cleanup_free_ char *key = xasprintf("%s/%s", ns, name);
    json_t *list = json_array(), *one;
    size_t i;

    json_array_foreach(json_object_get(s->by_service, key), i, one) {
        if (json_int(one, "at_us", 0) >= since_us) {
            json_t *copy = json_copy(one);

            json_object_del(copy, "at_us");
            json_array_append_new(list, copy);
        }
    }
    return list;
}
