/* tests/unit/change.c: what counts as somebody else's change, how it is named, and who is told. */
#include "rollout/change.h"
#include "base/cleanup.h"
#include "kube/watch.h"
#include "rollout/left.h"
#include "tests/support/suite.h"
#include "worker/objects.h"
#include "worker/owner.h"
#include <stdio.h>
#include <string.h>

#define SERVICE                                                                                    \
    "{'metadata':{'uid':'u1','labels':{'a':'b'}},'spec':{'selector':{'app':'inopnc',"              \
    "'environment':'blue'},'ports':[{'port':80,'targetPort':3000}]}}"
#define WORKLOAD                                                                                   \
    "{'metadata':{'uid':'u2'},'spec':{'replicas':3,'selector':{'matchLabels':{'app':'inopnc'}},"   \
    "'template':{'metadata':{'labels':{'app':'inopnc','app.kubernetes.io/name':'x'}},"             \
    "'spec':{'containers':[{'name':'app','image':'i:v1','env':[{'name':'KEY','value':'secret'},"   \
    "{'name':'N','value':'1'}],'args':['--password=x']},{'name':'sidecar','image':'s:v1'}]}}}}"

/* JSON with single quotes. */
static json_t *json(const char *text) {
    char *copy = xstrdup(text);
    json_t *v;

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    v = json_loads(copy, 0, NULL);
    ck_assert_msg(v != NULL, "%s", copy);
    free(copy);
    return v;
}

START_TEST(change__each_field_is_named_as_people_name_it) {
    static const struct {
        const char *object, *pointer, *value; /* NULL: removed */
        bool autoscaled;
        const char *field, *was, *is; /* NULL: no change */
    } cases[] = {
        {SERVICE, "/spec/selector/environment", "'green'", false, "spec.selector.environment",
         "\"blue\"", "\"green\""},
        {SERVICE, "/spec/selector/extra", "'x'", false, "spec.selector.extra", "absent", "\"x\""},
        {SERVICE, "/spec/selector/app", NULL, false, "spec.selector.app", "\"inopnc\"", "absent"},
        {SERVICE, "/spec/ports/0/targetPort", "8080", false, "spec.ports[0].targetPort", "3000",
         "8080"},
        {SERVICE, "/spec/sessionAffinity", "'ClientIP'", false, "spec.sessionAffinity", "absent",
         "\"ClientIP\""},
        {SERVICE, "/metadata/labels/a", "'c'", false, NULL, NULL, NULL},
        {SERVICE, "/metadata/annotations", "{'x':'y'}", false, NULL, NULL, NULL},
        {SERVICE, "/status", "{'x':'y'}", false, NULL, NULL, NULL},
        {SERVICE, "/metadata/uid", "'u9'", false, "uid", "\"u1\"", "\"u9\""},
        {WORKLOAD, "/spec/replicas", "5", false, "spec.replicas", "3", "5"},
        {WORKLOAD, "/spec/replicas", "5", true, NULL, NULL, NULL},
        {WORKLOAD, "/spec/template/spec/containers/0/image", "'i:v2'", false,
         "spec.template.spec.containers[app].image", "\"i:v1\"", "\"i:v2\""},
        {WORKLOAD, "/spec/template/spec/containers/1/image", "'s:v2'", true,
         "spec.template.spec.containers[sidecar].image", "\"s:v1\"", "\"s:v2\""},
        {WORKLOAD, "/spec/template/metadata/labels/app.kubernetes.io~1name", "'y'", false,
         "spec.template.metadata.labels[app.kubernetes.io/name]", "\"x\"", "\"y\""},
        {WORKLOAD, "/spec/template/spec/containers/0/env/0/value", "'other'", false,
         "spec.template.spec.containers[app].env[KEY].value", "(not shown)", "(not shown)"},
        {WORKLOAD, "/spec/template/spec/containers/0/args/0", "'--password=y'", false,
         "spec.template.spec.containers[app].args[0]", "(not shown)", "(not shown)"},
        {WORKLOAD, "/spec/paused", "true", false, "spec.paused", "absent", "true"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *before = json(cases[i].object), *after = json(cases[i].object), *list = NULL;
        _cleanup_free_ char *was = change_comparable(before), *is = NULL, *value = NULL;
        char parent[128], *slash;
        struct seen_change c;
        json_t *place;

        snprintf(parent, sizeof parent, "%s", cases[i].pointer);
        slash = strrchr(parent, '/');
        *slash++ = '\0';
        if (strstr(slash, "~1"))
            snprintf(slash, 32, "app.kubernetes.io/name");
        place = json_pointer(after, parent);
        value = cases[i].value ? xasprintf("[%s]", cases[i].value) : NULL;
        list = value ? json(value) : NULL;
        if (json_is_array(place))
            json_array_set(place, 0, json_array_get(list, 0));
        else if (!list)
            json_object_del(place, slash);
        else
            json_object_set(*parent ? place : after, slash, json_array_get(list, 0));
        is = change_comparable(after);
        ck_assert_msg(change_find(was, is, cases[i].autoscaled, &c) == (cases[i].field != NULL),
                      "case %zu", i);
        if (!cases[i].field)
            continue;
        ck_assert_str_eq(c.field, cases[i].field);
        ck_assert_str_eq(c.was, cases[i].was);
        ck_assert_str_eq(c.is, cases[i].is);
        ck_assert_int_eq(c.fields, 1);
    }
}
END_TEST

START_TEST(change__of_several_the_one_that_matters_is_named) {
    json_auto_t *before = json(WORKLOAD), *after = json(WORKLOAD);
    _cleanup_free_ char *was = change_comparable(before), *is = NULL;
    struct seen_change c;
    char sentence[512];

    json_object_set_new(json_object_get(after, "spec"), "replicas", json_integer(1));
    json_object_set_new(json_object_get(after, "spec"), "paused", json_true());
    json_object_set_new(json_pointer(after, "/spec/template/spec/containers/0"), "image",
                        json_string("i:v2"));
    is = change_comparable(after);
    ck_assert(change_find(was, is, false, &c));
    ck_assert_int_eq(c.fields, 3);
    ck_assert_str_eq(c.field, "spec.template.spec.containers[app].image");
    snprintf(c.by, sizeof c.by, "kubectl-set");
    c.at_us = INT64_C(1800000000) * 1000000;
    change_sentence("Deployment", "inopnc-green", &c, sentence, sizeof sentence);
    ck_assert_str_eq(sentence,
                     "Deployment inopnc-green: spec.template.spec.containers[app].image is "
                     "\"i:v2\", was \"i:v1\" (by kubectl-set, 2027-01-15T08:00:00.000Z), and 2 "
                     "more");
}
END_TEST

START_TEST(change__an_object_that_came_or_went_is_said_so) {
    json_auto_t *object = json(SERVICE);
    _cleanup_free_ char *text = change_comparable(object);
    struct seen_change c;

    ck_assert_ptr_null(change_comparable(NULL));
    ck_assert(change_find(text, NULL, false, &c));
    ck_assert_int_eq(c.kind, CHANGE_GONE);
    ck_assert(change_find(NULL, text, false, &c));
    ck_assert_int_eq(c.kind, CHANGE_CREATED);
    ck_assert(!change_find(NULL, NULL, false, &c));
    ck_assert(!change_find(text, text, false, &c));
}
END_TEST

/* Law 9: what may be a secret is kept as a digest, and never shown. */
START_TEST(law9__a_comparable_holds_no_value_of_a_variable) {
    json_auto_t *object = json(WORKLOAD);
    _cleanup_free_ char *text = change_comparable(object);

    ck_assert_ptr_null(strstr(text, "secret"));
    ck_assert_ptr_nonnull(strstr(text, "sha256:"));
    ck_assert_ptr_nonnull(strstr(json_str(json_pointer(object, "/spec/template/spec/containers/0/"
                                                               "env/0"),
                                          "value", ""),
                                 "secret")); /* the object itself is untouched */
}
END_TEST

#define ENTRY(manager, operation, time, fields)                                                    \
    "{'manager':'" manager "','operation':'" operation "','time':'2026-01-01T00:00:" time          \
    "Z','fieldsV1':{'f:spec':" fields "}}"
#define OBJECT(entries) "{'metadata':{'managedFields':[" entries "]},'spec':{}}"

START_TEST(owner__is_the_last_who_wrote_the_field) {
    static const struct {
        const char *entries, *field, *by; /* NULL: not known */
    } cases[] = {
        {ENTRY("kubectl-edit", "Update", "01", "{'f:selector':{}}"), "spec.selector.environment",
         "kubectl-edit"},
        {ENTRY("a", "Update", "01", "{'f:replicas':{}}") "," ENTRY("b", "Update", "02",
                                                                   "{'f:replicas':{}}"),
         "spec.replicas", "b"},
        {ENTRY("a", "Update", "03", "{'f:replicas':{}}") "," ENTRY("b", "Update", "02",
                                                                   "{'f:replicas':{}}"),
         "spec.replicas", "a"},
        {ENTRY("sluice", "Apply", "09", "{'f:replicas':{}}"), "spec.replicas", NULL},
        {ENTRY("a", "Update", "01", "{'f:paused':{}}"), "spec.replicas", NULL},
        {ENTRY("kubectl-set", "Update", "01",
               "{'f:template':{'f:spec':{'f:containers':{'k:{\\\"name\\\":\\\"app\\\"}':"
               "{'.':{},'f:image':{}}}}}}"),
         "spec.template.spec.containers[app].image", "kubectl-set"},
        {ENTRY("kubectl-set", "Update", "01",
               "{'f:template':{'f:spec':{'f:containers':{'k:{\\\"name\\\":\\\"app\\\"}':"
               "{'.':{},'f:image':{}}}}}}"),
         "spec.template.spec.containers[other].image", NULL},
        {ENTRY("l", "Update", "01",
               "{'f:template':{'f:metadata':{'f:labels':{'f:app.kubernetes.io/name':{}}}}}"),
         "spec.template.metadata.labels[app.kubernetes.io/name]", "l"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *text =
            xasprintf("{'metadata':{'managedFields':[%s]}}", cases[i].entries);
        json_auto_t *object = json(text);
        char by[SEEN_WHO];
        int64_t at;

        for (int cached = 0; cached < 2; cached++) { /* whole, and as the watch cache keeps it */
            ck_assert_msg(owner_find(object, cases[i].field, by, &at) == (cases[i].by != NULL),
                          "case %zu", i);
            ck_assert_str_eq(by, cases[i].by ? cases[i].by : "");
            ck_assert(!cases[i].by || at > 0);
            kube_object_trim(object, KUBE_DEPLOYMENT);
            ck_assert_ptr_null(json_at(object, "metadata", "managedFields", NULL));
        }
    }
}
END_TEST

START_TEST(owner__gitops_controllers_are_told_from_people) {
    static const struct {
        const char *manager, *metadata, *controller, *mark; /* NULL: none */
    } cases[] = {
        {"argocd-controller", "'annotations':{'argocd.argoproj.io/tracking-id':'shop:x'}",
         "Argo CD", "argocd.argoproj.io/tracking-id shop:x"},
        {"argocd-controller", "'labels':{'app.kubernetes.io/instance':'shop'}", "Argo CD",
         "app.kubernetes.io/instance shop"},
        {"argocd-controller", "'labels':{}", "Argo CD", ""},
        {"kustomize-controller", "'labels':{'kustomize.toolkit.fluxcd.io/name':'apps'}", "Flux",
         "kustomize.toolkit.fluxcd.io/name apps"},
        {"helm-controller", "'labels':{'helm.toolkit.fluxcd.io/name':'r'}", "Flux",
         "helm.toolkit.fluxcd.io/name r"},
        {"kustomize-controller",
         "'annotations':{'kustomize.toolkit.fluxcd.io/reconcile':'disabled'}", NULL, NULL},
        {"kustomize-controller", "'annotations':{'kustomize.toolkit.fluxcd.io/ssa':'Ignore'}", NULL,
         NULL},
        {"argocd-controller", "'annotations':{'sluice.dev/gitops':'ignored'}", NULL, NULL},
        {"kubectl-client-side-apply", "'labels':{'app.kubernetes.io/instance':'shop'}", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *text =
            xasprintf("{'metadata':{%s,'managedFields':[{'manager':'%s','operation':'Apply',"
                      "'fieldsV1':{'f:spec':{'f:selector':{}}}}]}}",
                      cases[i].metadata, cases[i].manager);
        json_auto_t *object = json(text);
        char mark[SEEN_TEXT];
        const char *controller = owner_gitops(object, "spec.selector", mark);

        ck_assert_str_eq(controller ? controller : "-",
                         cases[i].controller ? cases[i].controller : "-");
        if (controller)
            ck_assert_str_eq(mark, cases[i].mark);
        ck_assert_ptr_null(owner_gitops(object, "spec.replicas", mark));
    }
}
END_TEST

START_TEST(autoscaler__belongs_to_the_deployment_that_it_names) {
    json_auto_t *all = json("[{'metadata':{'name':'h'},'spec':{'scaleTargetRef':{'kind':"
                            "'Deployment','name':'inopnc-green'},'minReplicas':2,'maxReplicas':9}},"
                            "{'metadata':{'name':'i'},'spec':{'scaleTargetRef':{'kind':"
                            "'StatefulSet','name':'inopnc-blue'}}}]");
    struct seen_autoscaler found;

    objects_autoscaler(all, "inopnc-green", &found);
    ck_assert(found.exists);
    ck_assert_str_eq(found.name, "h");
    ck_assert_int_eq(found.least, 2);
    ck_assert_int_eq(found.most, 9);
    objects_autoscaler(all, "inopnc-blue", &found);
    ck_assert(!found.exists);
    objects_autoscaler(NULL, "inopnc-green", &found);
    ck_assert(!found.exists);
}
END_TEST

int main(void) {
    return RUN_SUITE("change", 10, change__each_field_is_named_as_people_name_it,
                     change__of_several_the_one_that_matters_is_named,
                     change__an_object_that_came_or_went_is_said_so,
                     law9__a_comparable_holds_no_value_of_a_variable,
                     owner__is_the_last_who_wrote_the_field,
                     owner__gitops_controllers_are_told_from_people,
                     autoscaler__belongs_to_the_deployment_that_it_names);
}
