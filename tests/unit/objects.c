/* From Kubernetes objects to what was seen: the rules of kubectl, and of law 6. */
#include "worker/objects.h"
#include "base/cleanup.h"
#include "tests/support/suite.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* JSON with ' for ", from a format. */
__attribute__((format(printf, 1, 2))) static json_t *js(const char *format, ...) {
    _cleanup_free_ char *text = NULL;
    json_error_t error;
    json_t *v;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        die("out of memory");
    va_end(args);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    v = json_loads(text, JSON_DECODE_ANY, &error);
    ck_assert_msg(v != NULL, "%s: %s", error.text, text);
    return v;
}

/* Blue serves: a Service, a Deployment at revision 2 with its ReplicaSets, no pods yet. */
struct scene {
    struct objects o;
    json_t *spec;
    struct seen seen;
};

static json_t *replica_set(const char *uid, const char *owner, const char *revision) {
    return js("{'metadata': {'name': '%s', 'uid': '%s', 'labels': {'pod-template-hash': 'h-%s'},"
              " 'annotations': {'deployment.kubernetes.io/revision': '%s'}, 'ownerReferences':"
              " [{'kind': 'Deployment', 'uid': '%s', 'controller': true}]}}",
              uid, uid, uid, revision, owner);
}

static void scene_start(struct scene *s) {
    *s = (struct scene){
        .spec = js("{'container': 'app', 'blue_green': {'service': 'inopnc-prod', 'selector_key':"
                   " 'environment', 'colors': {'blue': {'deployment': 'inopnc-blue'}, 'green':"
                   " {'deployment': 'inopnc-green'}}}}")};
    s->o.service = js("{'metadata': {'name': 'inopnc-prod', 'uid': 's', 'resourceVersion': '7',"
                      " 'annotations': {'sluice.dev/op': 'the-op', 'sluice.dev/epoch': '12'}},"
                      " 'spec': {'clusterIP': '127.20.0.1', 'selector': {'app': 'inopnc',"
                      " 'environment': 'blue'}, 'ports': [{'port': 80, 'targetPort': 'http'}]}}");
    s->o.workload[COLOR_BLUE] =
        js("{'metadata': {'name': 'inopnc-blue', 'uid': 'd', 'resourceVersion': '9', 'generation':"
           " 4, 'annotations': {'deployment.kubernetes.io/revision': '2', 'sluice.dev/op': 'w-op',"
           " 'sluice.dev/epoch': '11'}}, 'spec': {'replicas': 3, 'template': {'spec':"
           " {'containers': [{'name': 'proxy', 'image': 'envoy:v9'}, {'name': 'app', 'image':"
           " 'ghcr.io/your-org/inopnc-wm:v1.2.3'}]}}}, 'status': {'observedGeneration': 4,"
           " 'replicas': 3, 'updatedReplicas': 2, 'availableReplicas': 1}}");
    s->o.replica_sets = json_array();
    json_array_append_new(s->o.replica_sets, replica_set("old", "d", "1"));
    json_array_append_new(s->o.replica_sets, replica_set("new", "d", "2"));
    s->o.pods = json_array();
    s->o.slices = json_array();
}

static void scene_end(struct scene *s) {
    objects_done(&s->o);
    seen_done(&s->seen);
    json_decref(s->spec);
}

static const struct seen *look(struct scene *s) {
    seen_done(&s->seen);
    memset(&s->seen, 0, sizeof s->seen);
    objects_read(&s->o, s->spec, &s->seen);
    return &s->seen;
}

static const struct seen_workload *blue(struct scene *s) {
    return &look(s)->workload[COLOR_BLUE];
}

/* A ready pod of the current ReplicaSet, to be made worse; borrowed. */
static json_t *add_pod(struct scene *s, const char *name, const char *resource_version) {
    json_t *pod =
        js("{'metadata': {'name': '%s', 'resourceVersion': '%s', 'labels': {'app': 'inopnc',"
           " 'environment': 'blue'}, 'ownerReferences': [{'uid': 'new', 'controller': true}]},"
           " 'spec': {'containers': [{'name': 'app', 'ports': [{'name': 'http', 'containerPort':"
           " 3000}]}]}, 'status': {'conditions': [{'type': 'PodScheduled', 'status': 'True'},"
           " {'type': 'Ready', 'status': 'True'}]}}",
           name, resource_version);

    json_array_append_new(s->o.pods, pod);
    return pod;
}

/* Sets what is at a pointer's last key. */
static void put(json_t *object, const char *pointer, json_t *value) {
    _cleanup_free_ char *path = xstrdup(pointer);
    char *key = strrchr(path, '/');
    json_t *parent;

    *key++ = '\0';
    parent = *path ? json_pointer(object, path) : object;
    ck_assert_msg(json_is_object(parent), "%s", pointer);
    json_object_set_new(parent, key, value);
}

/* Runs a test's block in a scene of its own. */
#define SCENE(...)                                                                                 \
    struct scene s;                                                                                \
    scene_start(&s);                                                                               \
    __VA_ARGS__                                                                                    \
    scene_end(&s)

/* ---- the Service ---- */

START_TEST(objects__service_is_read) {
    SCENE({
        const struct seen_service *service = &look(&s)->service;

        ck_assert(service->exists && service->color_known);
        ck_assert_int_eq(service->color, COLOR_BLUE);
        ck_assert_str_eq(service->uid, "s");
        ck_assert_str_eq(service->resource_version, "7");
        ck_assert_str_eq(service->op, "the-op");
        ck_assert_int_eq(service->epoch, 12);
        ck_assert_str_eq(service->cluster_ip, "127.20.0.1");
        ck_assert_int_eq(service->port, 80);
        ck_assert(!s.seen.workload[COLOR_GREEN].exists);
    });
}
END_TEST

START_TEST(objects__a_selector_may_name_no_color) {
    SCENE({
        put(s.o.service, "/spec/selector/environment", json_string("red"));
        ck_assert(!look(&s)->service.color_known);
        ck_assert_str_eq(s.seen.service.color_text, "red");
        json_object_del(json_pointer(s.o.service, "/spec/selector"), "environment");
        ck_assert(!look(&s)->service.color_known);
        ck_assert_str_eq(s.seen.service.color_text, "");
        put(s.o.service, "/spec", json_object());
        ck_assert(look(&s)->service.exists && !s.seen.service.color_known);
        json_decref(s.o.service);
        s.o.service = NULL;
        ck_assert(!look(&s)->service.exists);
    });
}
END_TEST

START_TEST(objects__endpoints_count_by_the_color_of_their_pod) {
    SCENE({
        json_t *green;

        add_pod(&s, "b1", "1");
        add_pod(&s, "b2", "2");
        green = add_pod(&s, "g1", "3");
        put(green, "/metadata/labels/environment", json_string("green"));
        json_array_append_new(
            s.o.slices,
            js("{'metadata': {'labels': {'kubernetes.io/service-name': 'inopnc-prod'}},"
               " 'endpoints': [{'targetRef': {'name': 'b1'}, 'conditions': {'ready': true}},"
               " {'targetRef': {'name': 'b2'}, 'conditions': {'ready': false}},"
               " {'targetRef': {'name': 'g1'}}, {'targetRef': {'name': 'gone'}, 'conditions':"
               " {'ready': true}}, {'conditions': {'ready': true}}]}"));
        json_array_append_new(
            s.o.slices,
            js("{'metadata': {'labels': {'kubernetes.io/service-name': 'another'}},"
               " 'endpoints': [{'targetRef': {'name': 'b1'}, 'conditions': {'ready': true}}]}"));
        json_array_append_new(
            s.o.slices, js("{'metadata': {'labels': {'kubernetes.io/service-name': 'inopnc-prod'}},"
                           " 'endpoints': null}"));
        look(&s);
        ck_assert_int_eq(s.seen.service.endpoints_ready[COLOR_BLUE], 1);
        ck_assert_int_eq(s.seen.service.endpoints_ready[COLOR_GREEN], 1); /* ready unless denied */
        ck_assert_int_eq(s.seen.service.endpoints_other, 2);
    });
}
END_TEST

/* ---- a workload ---- */

START_TEST(objects__workload_is_read) {
    SCENE({
        const struct seen_workload *w = blue(&s);

        ck_assert(w->exists);
        ck_assert_str_eq(w->uid, "d");
        ck_assert_str_eq(w->resource_version, "9");
        ck_assert_str_eq(w->op, "w-op");
        ck_assert_int_eq(w->epoch, 11);
        ck_assert_int_eq(w->replicas, 3);
        ck_assert_int_eq(w->status_replicas, 3);
        ck_assert_int_eq(w->updated, 2);
        ck_assert_int_eq(w->available, 1);
        ck_assert_str_eq(w->template_hash, "h-new");
        ck_assert_str_eq(w->image, "ghcr.io/your-org/inopnc-wm:v1.2.3");
        json_object_del(json_object_get(s.o.workload[COLOR_BLUE], "spec"), "replicas");
        ck_assert_int_eq(blue(&s)->replicas, 1); /* Kubernetes' default */
        put(s.o.workload[COLOR_BLUE], "/spec/replicas", json_integer(0));
        ck_assert_int_eq(blue(&s)->replicas, 0);
    });
}
END_TEST

START_TEST(objects__version_is_the_annotation_or_the_tag) {
    static const struct {
        const char *image, *version;
    } cases[] = {
        {"ghcr.io/your-org/inopnc-wm:v1.2.3", "v1.2.3"},
        {"ghcr.io/your-org/inopnc-wm:v1.2.3@sha256:0123", "v1.2.3"},
        {"ghcr.io/your-org/inopnc-wm@sha256:0123", ""},
        {"localhost:5000/inopnc", ""},
        {"localhost:5000/inopnc:v1", "v1"},
        {"inopnc:v1", "v1"},
        {"inopnc", ""},
        {"", ""},
    };

    SCENE({
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            put(json_pointer(s.o.workload[COLOR_BLUE], "/spec/template/spec/containers/1"),
                "/image", json_string(cases[i].image));
            ck_assert_str_eq(blue(&s)->version, cases[i].version);
        }
        json_object_set_new(json_pointer(s.o.workload[COLOR_BLUE], "/metadata/annotations"),
                            "sluice.dev/version", json_string("v2.0.0"));
        ck_assert_str_eq(blue(&s)->version, "v2.0.0");
    });
}
END_TEST

START_TEST(law6__only_pods_of_the_current_replica_set_count) {
    SCENE({
        json_t *old, *foreign, *uncontrolled, *w = s.o.workload[COLOR_BLUE];

        add_pod(&s, "new1", "30");
        add_pod(&s, "new2", "20");
        old = add_pod(&s, "old", "10");
        put(json_pointer(old, "/metadata/ownerReferences/0"), "/uid", json_string("old"));
        foreign = add_pod(&s, "foreign", "11");
        put(json_pointer(foreign, "/metadata/ownerReferences/0"), "/uid", json_string("x"));
        uncontrolled = add_pod(&s, "loose", "12");
        put(json_pointer(uncontrolled, "/metadata/ownerReferences/0"), "/controller", json_false());
        ck_assert_int_eq(blue(&s)->pods, 2);
        ck_assert_int_eq(s.seen.workload[COLOR_BLUE].pods_ready, 2);
        ck_assert_str_eq(s.seen.workload[COLOR_BLUE].oldest_ready, "20");

        json_object_set_new(json_pointer(w, "/metadata/annotations"),
                            "deployment.kubernetes.io/revision", json_string("1"));
        ck_assert_int_eq(blue(&s)->pods, 1); /* an undo: the other one is the current */
        ck_assert_str_eq(s.seen.workload[COLOR_BLUE].template_hash, "h-old");
        json_object_set_new(json_pointer(w, "/metadata/annotations"),
                            "deployment.kubernetes.io/revision", json_string("3"));
        ck_assert_int_eq(blue(&s)->pods, 0);
        ck_assert_str_eq(s.seen.workload[COLOR_BLUE].template_hash, "");
    });
}
END_TEST

START_TEST(law6__a_template_that_is_not_observed_yet_has_no_pods) {
    SCENE({
        json_t *w = s.o.workload[COLOR_BLUE];

        add_pod(&s, "p", "1");
        ck_assert_int_eq(blue(&s)->pods_ready, 1);
        put(w, "/metadata/generation", json_integer(5));
        ck_assert_int_eq(blue(&s)->pods_ready, 0);
        ck_assert_int_lt(s.seen.workload[COLOR_BLUE].observed_generation,
                         s.seen.workload[COLOR_BLUE].generation);
        put(w, "/metadata/generation", json_integer(4));
        json_object_del(json_pointer(w, "/metadata/annotations"),
                        "deployment.kubernetes.io/revision");
        ck_assert_int_eq(blue(&s)->pods_ready, 0);
        json_object_set_new(json_pointer(w, "/metadata/annotations"),
                            "deployment.kubernetes.io/revision", json_string("2"));
        ck_assert_int_eq(blue(&s)->pods_ready, 1);
        put(json_array_get(s.o.replica_sets, 1), "/metadata/ownerReferences", json_array());
        ck_assert_int_eq(blue(&s)->pods_ready, 0); /* of another Deployment of that revision */
    });
}
END_TEST

START_TEST(law6__a_pod_counts_when_the_service_would_send_to_it) {
    static const struct {
        const char *what, *pointer, *value;
        int pods, ready;
    } cases[] = {
        {"not ready", "/status/conditions", "[{'type': 'Ready', 'status': 'False'}]", 1, 0},
        {"unknown", "/status/conditions", "[{'type': 'Ready', 'status': 'Unknown'}]", 1, 0},
        {"no conditions", "/status/conditions", "[]", 1, 0},
        {"terminating", "/metadata/deletionTimestamp", "'2026-01-01T00:00:00Z'", 0, 0},
        {"another color", "/metadata/labels", "{'app': 'inopnc', 'environment': 'green'}", 1, 0},
        {"no color", "/metadata/labels", "{'app': 'inopnc'}", 1, 0},
        {"another app", "/metadata/labels", "{'app': 'x', 'environment': 'blue'}", 1, 0},
        {"more labels", "/metadata/labels", "{'app': 'inopnc', 'environment': 'blue', 'x': 'y'}", 1,
         1},
        {"no ports", "/spec/containers", "[{'name': 'app'}]", 1, 0},
        {"another port", "/spec/containers",
         "[{'name': 'app', 'ports': [{'name': 'admin', 'containerPort': 9}]}]", 1, 0},
        {"port of a second container", "/spec/containers",
         "[{'name': 'app'}, {'name': 'proxy', 'ports': [{'name': 'a'}, {'name': 'http'}]}]", 1, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SCENE({
            put(add_pod(&s, "p", "1"), cases[i].pointer, js("%s", cases[i].value));
            ck_assert_msg(blue(&s)->pods == cases[i].pods &&
                              s.seen.workload[COLOR_BLUE].pods_ready == cases[i].ready,
                          "%s: %d pods, %d ready", cases[i].what, s.seen.workload[COLOR_BLUE].pods,
                          s.seen.workload[COLOR_BLUE].pods_ready);
        });
    }
}
END_TEST

START_TEST(law6__a_numbered_target_port_needs_no_declaration) {
    SCENE({
        put(add_pod(&s, "p", "1"), "/spec/containers", js("[{'name': 'app'}]"));
        put(json_pointer(s.o.service, "/spec/ports/0"), "/targetPort", json_integer(3000));
        ck_assert_int_eq(blue(&s)->pods_ready, 1);
    });
}
END_TEST

START_TEST(objects__the_other_color_is_asked_for_its_own_selector) {
    SCENE({
        json_t *green = json_deep_copy(s.o.workload[COLOR_BLUE]), *pod;

        put(green, "/metadata/uid", json_string("g"));
        s.o.workload[COLOR_GREEN] = green;
        json_array_append_new(s.o.replica_sets, replica_set("green", "g", "2"));
        pod = add_pod(&s, "g1", "1");
        put(json_pointer(pod, "/metadata/ownerReferences/0"), "/uid", json_string("green"));
        put(pod, "/metadata/labels/environment", json_string("green"));
        look(&s); /* the Service selects blue */
        ck_assert_int_eq(s.seen.workload[COLOR_GREEN].pods_ready, 1);
        ck_assert_int_eq(s.seen.workload[COLOR_BLUE].pods, 0);
        put(pod, "/metadata/labels/environment", json_string("blue"));
        look(&s);
        ck_assert_int_eq(s.seen.workload[COLOR_GREEN].pods, 1);
        ck_assert_int_eq(s.seen.workload[COLOR_GREEN].pods_ready, 0);
    });
}
END_TEST

/* ---- why pods do not come ---- */

START_TEST(objects__trouble_names_pod_and_container) {
    static const struct {
        const char *pointer, *status, *code, *says;
    } cases[] = {
        {"/status/containerStatuses",
         "[{'name': 'app', 'state': {'waiting': {'reason': 'ImagePullBackOff', 'message': 'Back-off"
         " pulling image'}}}]",
         "image-pull", "Container app of pod p1 cannot pull its image: Back-off pulling image"},
        {"/status/containerStatuses",
         "[{'name': 'app', 'state': {'waiting': {'reason': 'InvalidImageName'}}}]", "image-pull",
         "Container app of pod p1 names an invalid image: InvalidImageName"},
        {"/status/containerStatuses",
         "[{'name': 'app', 'state': {'waiting': {'reason': 'ErrImageNeverPull'}}}]", "image-pull",
         "Container app of pod p1 may not pull its image: ErrImageNeverPull"},
        {"/status/containerStatuses",
         "[{'name': 'app', 'restartCount': 4, 'state': {'waiting': {'reason': 'CrashLoopBackOff'}},"
         " 'lastState': {'terminated': {'exitCode': 137}}}]",
         "crash-loop", "Container app of pod p1 keeps crashing: exit code 137, restarted 4 times"},
        {"/status/containerStatuses",
         "[{'name': 'app', 'state': {'waiting': {'reason': 'CreateContainerConfigError', 'message':"
         " 'secret x not found'}}}]",
         "crash-loop", "Container app of pod p1 cannot be created: secret x not found"},
        {"/status/containerStatuses",
         "[{'name': 'ok', 'state': {'running': {}}}, {'name': 'side', 'state': {'waiting':"
         " {'reason': 'RunContainerError', 'message': 'no such file'}}}]",
         "crash-loop", "Container side of pod p1 cannot be started: no such file"},
        {"/status/initContainerStatuses",
         "[{'name': 'migrate', 'restartCount': 2, 'state': {'waiting': {'reason':"
         " 'CrashLoopBackOff'}}, 'lastState': {'terminated': {'exitCode': 1}}}]",
         "crash-loop",
         "Container migrate of pod p1 keeps crashing: exit code 1, restarted 2 times"},
        {"/status/conditions",
         "[{'type': 'PodScheduled', 'status': 'False', 'reason': 'Unschedulable', 'message': '0/3"
         " nodes are available: 3 Insufficient cpu.'}]",
         "unschedulable",
         "Pod p1 cannot be scheduled: 0/3 nodes are available: 3 Insufficient cpu."},
        /* what still may pass by itself */
        {"/status/containerStatuses",
         "[{'name': 'app', 'state': {'waiting': {'reason': 'ContainerCreating'}}}]", NULL, NULL},
        {"/status/containerStatuses",
         "[{'name': 'app', 'state': {'waiting': {'reason': 'ErrImagePull'}}}]", NULL, NULL},
        {"/status/containerStatuses", "[{'name': 'app', 'state': {'terminated': {'exitCode': 1}}}]",
         NULL, NULL},
        {"/status/conditions",
         "[{'type': 'PodScheduled', 'status': 'False', 'reason': 'SchedulingGated'}]", NULL, NULL},
        {"/status/containerStatuses", "[]", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SCENE({
            const struct seen_trouble *t;

            put(add_pod(&s, "p1", "1"), cases[i].pointer, js("%s", cases[i].status));
            t = &blue(&s)->trouble;
            if (!cases[i].code) {
                ck_assert_msg(!t->code, "%s: %s", cases[i].status, t->code ? t->code : "");
            } else {
                ck_assert_msg(t->code && !strcmp(t->code, cases[i].code), "%s", cases[i].status);
                ck_assert_str_eq(t->detail, cases[i].says);
            }
        });
    }
}
END_TEST

START_TEST(objects__trouble_of_old_or_ending_pods_is_none) {
    static const char crashing[] =
        "[{'name': 'app', 'state': {'waiting': {'reason': 'CrashLoopBackOff'}}}]";

    SCENE({
        json_t *old = add_pod(&s, "old", "1"), *ending = add_pod(&s, "ending", "2");

        put(old, "/status/containerStatuses", js("%s", crashing));
        put(json_pointer(old, "/metadata/ownerReferences/0"), "/uid", json_string("old"));
        put(ending, "/status/containerStatuses", js("%s", crashing));
        put(ending, "/metadata/deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
        ck_assert_ptr_null(blue(&s)->trouble.code);
        put(add_pod(&s, "new", "3"), "/status/containerStatuses", js("%s", crashing));
        ck_assert_str_eq(blue(&s)->trouble.code, "crash-loop");
    });
}
END_TEST

START_TEST(objects__quota_and_progress_come_from_the_workload) {
    SCENE({
        json_t *w = s.o.workload[COLOR_BLUE];

        put(w, "/status/conditions",
            js("[{'type': 'ReplicaFailure', 'status': 'True', 'reason': 'FailedCreate', 'message':"
               " 'pods is forbidden: exceeded quota: compute'}, {'type': 'Progressing', 'status':"
               " 'True', 'reason': 'ReplicaSetUpdated'}]"));
        ck_assert_str_eq(blue(&s)->trouble.code, "quota");
        ck_assert_ptr_nonnull(strstr(s.seen.workload[COLOR_BLUE].trouble.detail,
                                     "Pods of inopnc-blue cannot be created: pods is forbidden"));
        ck_assert_str_eq(s.seen.workload[COLOR_BLUE].progress, "");

        put(w, "/status/conditions",
            js("[{'type': 'ReplicaFailure', 'status': 'True', 'message': 'webhook denied it'},"
               " {'type': 'Progressing', 'status': 'False', 'reason': 'ProgressDeadlineExceeded',"
               " 'message': 'ReplicaSet has timed out'}]"));
        ck_assert_ptr_null(blue(&s)->trouble.code);
        ck_assert_str_eq(s.seen.workload[COLOR_BLUE].progress,
                         "ProgressDeadlineExceeded: ReplicaSet has timed out");

        put(w, "/status/conditions",
            js("[{'type': 'ReplicaFailure', 'status': 'False', 'message': 'quota'}]"));
        ck_assert_ptr_null(blue(&s)->trouble.code);
        ck_assert_str_eq(s.seen.workload[COLOR_BLUE].progress, "");
    });
}
END_TEST

START_TEST(objects__long_texts_are_cut) {
    SCENE({
        char text[4096];
        json_t *pod = add_pod(&s, "p", "1");

        memset(text, 'x', sizeof text - 1);
        text[sizeof text - 1] = '\0';
        put(pod, "/metadata/name", json_string(text));
        put(pod, "/status/containerStatuses",
            json_pack("[{s:s, s:{s:{s:s, s:s}}}]", "name", text, "state", "waiting", "reason",
                      "CrashLoopBackOff", "message", text));
        json_object_set_new(json_pointer(s.o.workload[COLOR_BLUE], "/metadata/annotations"),
                            "sluice.dev/version", json_string(text));
        put(s.o.service, "/spec/selector/environment", json_string(text));
        ck_assert_str_eq(blue(&s)->trouble.code, "crash-loop");
        ck_assert_uint_lt(strlen(s.seen.workload[COLOR_BLUE].trouble.detail), SEEN_TEXT * 2);
        ck_assert_uint_lt(strlen(s.seen.workload[COLOR_BLUE].version), SEEN_TEXT);
        ck_assert_uint_lt(strlen(s.seen.service.color_text), SEEN_TEXT);
    });
}
END_TEST

START_TEST(objects__without_anything_nothing_is_seen) {
    struct scene s = {.spec = json_object()};

    look(&s);
    ck_assert(!s.seen.service.exists && !s.seen.workload[COLOR_BLUE].exists);
    s.o.service = json_object();
    s.o.workload[COLOR_BLUE] = json_object();
    s.o.pods = json_parse("[{}, {\"metadata\": null}, 5]");
    s.o.replica_sets = json_parse("[{}, null]");
    s.o.slices = json_parse("[{}, null]");
    look(&s);
    ck_assert(s.seen.service.exists && s.seen.workload[COLOR_BLUE].exists);
    ck_assert_int_eq(s.seen.workload[COLOR_BLUE].pods, 0);
    scene_end(&s);
}
END_TEST

START_TEST(objects__resource_versions_compare_as_numbers) {
    ck_assert(kube_version_newer("10", "9"));
    ck_assert(!kube_version_newer("9", "10"));
    ck_assert(!kube_version_newer("9", "9"));
    ck_assert(kube_version_newer("18446744073709551615", "9223372036854775808"));
    ck_assert(kube_version_newer("1", ""));
    ck_assert(!kube_version_newer("", "1"));
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "objects", 10, objects__service_is_read, objects__a_selector_may_name_no_color,
        objects__endpoints_count_by_the_color_of_their_pod, objects__workload_is_read,
        objects__version_is_the_annotation_or_the_tag,
        law6__only_pods_of_the_current_replica_set_count,
        law6__a_template_that_is_not_observed_yet_has_no_pods,
        law6__a_pod_counts_when_the_service_would_send_to_it,
        law6__a_numbered_target_port_needs_no_declaration,
        objects__the_other_color_is_asked_for_its_own_selector,
        objects__trouble_names_pod_and_container, objects__trouble_of_old_or_ending_pods_is_none,
        objects__quota_and_progress_come_from_the_workload, objects__long_texts_are_cut,
        objects__without_anything_nothing_is_seen, objects__resource_versions_compare_as_numbers);
}
