/* cli/rbac.c: what an environment's service account needs to be allowed in Kubernetes, and no more:
 * a Role, and admission policies for what a Role cannot say (docs/operating.md). */
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "cli/commands.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20 };

/* What a template may name. */
enum { NAMESPACE, SERVICE, BLUE, GREEN, ACCOUNT_SPACE, ACCOUNT, NAME, IMAGE, PLACES };
static const char *const places[PLACES] = {"@namespace", "@service", "@blue", "@green",
                                           "@space",     "@account", "@name", "@image"};

struct access {
    const json_t *spec; /* of the environment */
    const char *values[PLACES];
    bool image_only;
    struct strbuf out;
};

static void add(struct access *a, const char *template) {
    while (*template) {
        size_t n = strcspn(template, "@"), place = 0;

        strbuf_add(&a->out, template, n);
        template += n;
        while (*template && place < PLACES &&
               strncmp(template, places[place], strlen(places[place])) != 0)
            place++;
        if (*template) {
            strbuf_adds(&a->out, place < PLACES ? a->values[place] : "@");
            template += place < PLACES ? strlen(places[place]) : 1;
        }
    }
}

/* What manifests may hold beside Deployments; Services are also listed and watched, always. */
static const struct {
    const char *kind, *group, *resource;
} kinds[] = {
    {"Service", "\"\"", "services"},
    {"ConfigMap", "\"\"", "configmaps"},
    {"ServiceAccount", "\"\"", "serviceaccounts"},
    {"HorizontalPodAutoscaler", "autoscaling", "horizontalpodautoscalers"},
    {"PodDisruptionBudget", "policy", "poddisruptionbudgets"},
    {"NetworkPolicy", "networking.k8s.io", "networkpolicies"},
    {"Ingress", "networking.k8s.io", "ingresses"},
};

static const char reads[] =
    "apiVersion: rbac.authorization.k8s.io/v1\n"
    "kind: Role\n"
    "metadata: { name: @name, namespace: @namespace }\n"
    "rules:\n"
    "  - { apiGroups: [\"\"], resources: [services, pods], verbs: [get, list, watch] }\n"
    "  - { apiGroups: [apps], resources: [deployments, replicasets], verbs: [get, list, watch] }\n"
    "  - { apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch] "
    "}\n"
    "  - { apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [get, list, "
    "watch] }\n"
    "  - { apiGroups: [\"\"], resources: [services], resourceNames: [@service], verbs: [patch] }\n"
    "  - { apiGroups: [apps], resources: [deployments], resourceNames: [@blue, @green], verbs: "
    "[patch, update] }\n";

/* Roles cannot limit a creation by name. */
static const char creates[] =
    "  - { apiGroups: [apps], resources: [deployments], verbs: [create] }\n";

static const char bindings[] =
    "---\n"
    "apiVersion: rbac.authorization.k8s.io/v1\n"
    "kind: RoleBinding\n"
    "metadata: { name: @name, namespace: @namespace }\n"
    "roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: @name }\n"
    "subjects: [{ kind: ServiceAccount, name: @account, namespace: @space }]\n";

#define POLICY(suffix, operations, group, resource)                                                \
    "---\n"                                                                                        \
    "apiVersion: admissionregistration.k8s.io/v1\n"                                                \
    "kind: ValidatingAdmissionPolicyBinding\n"                                                     \
    "metadata: { name: @name-" suffix " }\n"                                                       \
    "spec: { policyName: @name-" suffix ", validationActions: [Deny] }\n"                          \
    "---\n"                                                                                        \
    "apiVersion: admissionregistration.k8s.io/v1\n"                                                \
    "kind: ValidatingAdmissionPolicy\n"                                                            \
    "metadata: { name: @name-" suffix " }\n"                                                       \
    "spec:\n"                                                                                      \
    "  failurePolicy: Fail\n"                                                                      \
    "  matchConstraints:\n"                                                                        \
    "    namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: @namespace } }\n"        \
    "    resourceRules:\n"                                                                         \
    "      - { apiGroups: [" group "], apiVersions: [v1], operations: [" operations                \
    "], resources: [" resource "] }\n"
#define OF_ACCOUNT                                                                                 \
    "  matchConditions:\n"                                                                         \
    "    - name: of-sluice\n"                                                                      \
    "      expression: request.userInfo.username == 'system:serviceaccount:@space:@account'\n"

static const char fence[] = POLICY(
    "fence", "UPDATE", "\"\", apps",
    "services, deployments") "    objectSelector: { matchLabels: { sluice.dev/managed: \"true\" } "
                             "}\n"
                             "  variables:\n"
                             "    - name: new\n"
                             "      expression: >-\n"
                             "        has(object.metadata.annotations) && 'sluice.dev/epoch' in "
                             "object.metadata.annotations\n"
                             "        ? int(object.metadata.annotations['sluice.dev/epoch']) : -1\n"
                             "    - name: old\n"
                             "      expression: >-\n"
                             "        has(oldObject.metadata.annotations) && 'sluice.dev/epoch' in "
                             "oldObject.metadata.annotations\n"
                             "        ? int(oldObject.metadata.annotations['sluice.dev/epoch']) : "
                             "0\n"
                             "  validations:\n"
                             "    - expression: variables.new >= variables.old\n"
                             "      message: the annotation sluice.dev/epoch may not become less "
                             "or go away\n";

/* Where traffic goes is the selector's to say: never an address outside. */
static const char services[] = POLICY("services", "CREATE, UPDATE", "\"\"", "services") OF_ACCOUNT
    "  validations:\n"
    "    - expression: >-\n"
    "        object.spec.type == (request.operation == 'CREATE' ? 'ClusterIP' : "
    "oldObject.spec.type) &&\n"
    "        (request.operation == 'CREATE' ? !has(object.spec.externalIPs)\n"
    "        : object.spec.?externalIPs == oldObject.spec.?externalIPs)\n"
    "      message: sluice may not change where a Service can be reached from\n";

static const char services_frozen[] =
    "    - expression: >-\n"
    "        object.spec.?ports == oldObject.spec.?ports &&\n"
    "        object.spec.?clusterIP == oldObject.spec.?clusterIP &&\n"
    "        object.spec.?loadBalancerIP == oldObject.spec.?loadBalancerIP &&\n"
    "        object.spec.?loadBalancerSourceRanges == oldObject.spec.?loadBalancerSourceRanges &&\n"
    "        object.spec.?externalTrafficPolicy == oldObject.spec.?externalTrafficPolicy &&\n"
    "        object.spec.?internalTrafficPolicy == oldObject.spec.?internalTrafficPolicy &&\n"
    "        object.spec.?publishNotReadyAddresses == oldObject.spec.?publishNotReadyAddresses &&\n"
    "        object.spec.?sessionAffinity == oldObject.spec.?sessionAffinity\n"
    "      message: sluice may only change a Service's selector\n";

static const char scope[] = POLICY("scope", "UPDATE", "apps", "deployments") OF_ACCOUNT
    "    - name: of-this-environment\n"
    "      expression: request.name in ['@blue', '@green']\n"
    "  variables:\n"
    "    - { name: new, expression: object.spec.template.spec }\n"
    "    - { name: old, expression: oldObject.spec.template.spec }\n"
    "  validations:\n"
    "    - expression: >-\n"
    "        variables.new.containers.all(c, "
    "c.image.matches('^@image(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]{64})?$') ||\n"
    "        variables.old.containers.exists(p, p.name == c.name && p.image == c.image))\n"
    "      message: not an image of this app\n";

/* Everything of a pod, and of its containers, but for images and resources. */
static const char *const pod_fields[] = {"activeDeadlineSeconds",
                                         "affinity",
                                         "automountServiceAccountToken",
                                         "dnsConfig",
                                         "dnsPolicy",
                                         "enableServiceLinks",
                                         "hostAliases",
                                         "hostIPC",
                                         "hostNetwork",
                                         "hostPID",
                                         "hostUsers",
                                         "hostname",
                                         "imagePullSecrets",
                                         "initContainers",
                                         "nodeName",
                                         "nodeSelector",
                                         "priorityClassName",
                                         "runtimeClassName",
                                         "schedulerName",
                                         "securityContext",
                                         "serviceAccountName",
                                         "shareProcessNamespace",
                                         "subdomain",
                                         "tolerations",
                                         "volumes"};
static const char *const container_fields[] = {"args",          "command",
                                               "env",           "envFrom",
                                               "lifecycle",     "livenessProbe",
                                               "ports",         "imagePullPolicy",
                                               "stdin",         "readinessProbe",
                                               "restartPolicy", "securityContext",
                                               "stdinOnce",     "startupProbe",
                                               "volumeDevices", "terminationMessagePath",
                                               "volumeMounts",  "tty",
                                               "workingDir",    "terminationMessagePolicy"};

static void add_frozen(struct access *a) {
    add(a, "    - expression: >-\n"
           "        variables.new.containers.size() == variables.old.containers.size() &&\n"
           "        variables.new.containers.all(c, variables.old.containers.exists(p, p.name == "
           "c.name");
    for (size_t i = 0; i < sizeof container_fields / sizeof *container_fields; i++)
        strbuf_addf(&a->out, " &&\n        p.?%s == c.?%s", container_fields[i],
                    container_fields[i]);
    add(a, "))\n      message: sluice may only change image and resources of a container\n"
           "    - expression: >-\n        ");
    for (size_t i = 0; i < sizeof pod_fields / sizeof *pod_fields; i++)
        strbuf_addf(&a->out, "%svariables.new.?%s == variables.old.?%s", i ? " &&\n        " : "",
                    pod_fields[i], pod_fields[i]);
    add(a, "\n      message: sluice may not change a pod's own fields\n");
}

/* `kind: X` at the beginning of a line, as block style has it. */
static bool manifests_hold(const char *manifests, const char *kind) {
    _cleanup_free_ char *line = xasprintf("kind: %s", kind);
    size_t n = strlen(line);

    for (const char *at = manifests; at && (at = strstr(at, line)); at += n)
        if ((at == manifests || at[-1] == '\n') && (!at[n] || isspace((unsigned char)at[n])))
            return true;
    return false;
}

static bool asked_for(const struct args *args, const char *kind) {
    size_t at = 0;

    for (const char *one; (one = arg_list(args, "kind", &at));)
        if (strcmp(one, kind) == 0)
            return true;
    return false;
}

static void add_kinds(struct access *a, const struct args *args, const char *manifests) {
    add(a, creates);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (manifests_hold(manifests, kinds[i].kind) || asked_for(args, kinds[i].kind))
            strbuf_addf(&a->out,
                        "  - { apiGroups: [%s], resources: [%s], verbs: [get, create, patch] }\n",
                        kinds[i].group, kinds[i].resource);
}

/* Checks by path go through the API server; headers may come from Secrets. */
static void add_checks(struct access *a) {
    const json_t *checks = json_object_get(a->spec, "checks"), *list, *check, *value;
    bool by_path = false;
    const char *key;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)checks, key, list) {
        json_array_foreach(list, i, check) {
            by_path = by_path || json_object_get(check, "path");
            json_object_foreach(json_object_get(check, "headers"), key, value) {
                const char *secret = json_str(json_object_get(value, "value_from"), "secret", NULL);

                if (secret)
                    strbuf_addf(&a->out,
                                "  - { apiGroups: [\"\"], resources: [secrets], resourceNames: "
                                "[%s], verbs: [get] }\n",
                                secret);
            }
        }
    }
    if (by_path)
        add(a, "  - { apiGroups: [\"\"], resources: [services/proxy], verbs: [get, create] }\n");
}

static void access_write(struct access *a, const struct args *args, const char *manifests) {
    add(a, reads);
    if (!a->image_only)
        add_kinds(a, args, manifests);
    add_checks(a);
    add(a, bindings);
    add(a, fence);
    add(a, services);
    if (a->image_only) {
        add(a, services_frozen);
        add(a, scope);
        add_frozen(a);
    }
}

/* For a regular expression of CEL in a YAML text.  Yours. */
static char *image_pattern(const char *image) {
    struct strbuf b = STRBUF(TEXT_MAX);

    for (; *image; image++)
        strbuf_addf(&b, *image == '.' || *image == '+' ? "[%c]" : "%c", *image);
    return strbuf_take(&b);
}

/* NAMESPACE/NAME. */
static bool account_read(const char *text, char **ret_space, const char **ret_name) {
    const char *slash = strchr(text, '/');

    if (!slash || slash == text || !slash[1] ||
        text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
                          "0123456789-./")])
        return false;
    *ret_space = xstrndup(text, (size_t)(slash - text));
    *ret_name = slash + 1;
    return true;
}

ExitCode run_env_rbac(struct session *s, const struct args *args) {
    const char *app = arg_operand(args, 0), *environment = arg_operand(args, 1);
    const char *account = arg_text(args, "account"), *profile = arg_text(args, "profile");
    _cleanup_(api_answer_done) struct api_answer of_app = {0}, of_env = {0}, documents = {0};
    _cleanup_free_ char *app_path = api_path("/apps/%s", app), *image = NULL, *space = NULL,
                        *env_path = api_path("/apps/%s/environments/%s", app, environment),
                        *manifests = xasprintf("%s/manifests", env_path),
                        *name = xasprintf("sluice-%s-%s", app, environment);
    struct access a = {.out = STRBUF(TEXT_MAX)};
    ExitCode code;

    if (!account_read(account ? account : "sluice/sluice", &space, &a.values[ACCOUNT]))
        return usage_error("--account is NAMESPACE/NAME of a ServiceAccount");
    if ((code = api_do(s, &(struct api_call){.path = app_path}, &of_app)) != EXIT_DONE ||
        (code = api_do(s, &(struct api_call){.path = env_path}, &of_env)) != EXIT_DONE)
        return code;
    code = api_try(s, &(struct api_call){.path = manifests, .accept = "*/*"}, &documents);
    if (code != EXIT_DONE && documents.status != 404) {
        report_answer(s, &documents);
        return code;
    }
    a.spec = of_env.json;
    a.image_only = profile ? strcmp(profile, "image") == 0 : code != EXIT_DONE;
    image = image_pattern(json_str(of_app.json, "image", ""));
    a.values[NAMESPACE] = json_str(a.spec, "namespace", "");
    a.values[SERVICE] = json_str(json_object_get(a.spec, "blue_green"), "service", "");
    a.values[BLUE] =
        json_str(json_at(a.spec, "blue_green", "colors", "blue", NULL), "deployment", "");
    a.values[GREEN] =
        json_str(json_at(a.spec, "blue_green", "colors", "green", NULL), "deployment", "");
    a.values[ACCOUNT_SPACE] = space;
    a.values[NAME] = name;
    a.values[IMAGE] = image;
    access_write(&a, args, code == EXIT_DONE ? documents.text : "");
    print_text(s, "yaml", a.out.data);
    strbuf_done(&a.out);
    return EXIT_DONE;
}
