/* auth/principal.c: the role table, and principals as values.
 *
 * A role stands for a set of scopes, written as a mask over one list of scopes, so that a scope
 * that no role carries cannot exist, and a misspelt one cannot be granted. */
#include "auth/principal.h"
#include "base/ids.h"
#include <pthread.h>
#include <string.h>

/* What there is to be allowed, in the order in which a principal's scopes are listed. */
enum scope_bit {
    APP_READ,
    CLUSTER_READ,
    ENVIRONMENT_READ,
    RELEASE_READ,
    DEPLOYMENT_READ,
    RECORD_READ,
    CHECKLIST_READ,
    SIGNOFF_READ,
    FREEZE_READ,
    GATE_READ,
    FLAG_READ,
    INCIDENT_READ,
    BACKUP_READ,
    RELEASE_WRITE,
    EVIDENCE_WRITE,
    DEPLOYMENT_CREATE,
    DEPLOYMENT_PROMOTE,
    DEPLOYMENT_ROLLBACK,
    TRAFFIC_WRITE,
    CHECKLIST_WRITE,
    FLAG_WRITE,
    FREEZE_WRITE,
    CHECKLIST_WAIVE,
    INCIDENT_WRITE,
    BACKUP_WRITE,
    AUDIT_READ,
    APP_WRITE,
    CLUSTER_WRITE,
    GATE_WRITE,
    FLAG_ADMIN,
    KEY_READ,
    KEY_WRITE,
    DEPLOYMENT_RESOLVE,
    SIGNOFF_ENGINEERING,
    SIGNOFF_QA,
    SIGNOFF_DEVOPS,
    SIGNOFF_PRODUCT,
    SIGNOFF_CUSTOMER_SUCCESS,
    SIGNOFF_SUPPORT,
    SIGNOFF_FINAL,
    FLAG_EVALUATE,
    SCOPES
};
_Static_assert((int)SCOPES <= (int)SCOPES_MAX, "a set of scopes is a 64-bit mask");

static const char *const scope_texts[SCOPES] = {
    [APP_READ] = "app:read",
    [CLUSTER_READ] = "cluster:read",
    [ENVIRONMENT_READ] = "environment:read",
    [RELEASE_READ] = "release:read",
    [DEPLOYMENT_READ] = "deployment:read",
    [RECORD_READ] = "record:read",
    [CHECKLIST_READ] = "checklist:read",
    [SIGNOFF_READ] = "signoff:read",
    [FREEZE_READ] = "freeze:read",
    [GATE_READ] = "gate:read",
    [FLAG_READ] = "flag:read",
    [INCIDENT_READ] = "incident:read",
    [BACKUP_READ] = "backup:read",
    [RELEASE_WRITE] = "release:write",
    [EVIDENCE_WRITE] = "evidence:write",
    [DEPLOYMENT_CREATE] = "deployment:create",
    [DEPLOYMENT_PROMOTE] = "deployment:promote",
    [DEPLOYMENT_ROLLBACK] = "deployment:rollback",
    [TRAFFIC_WRITE] = "traffic:write",
    [CHECKLIST_WRITE] = "checklist:write",
    [FLAG_WRITE] = "flag:write",
    [FREEZE_WRITE] = "freeze:write",
    [CHECKLIST_WAIVE] = "checklist:waive",
    [INCIDENT_WRITE] = "incident:write",
    [BACKUP_WRITE] = "backup:write",
    [AUDIT_READ] = "audit:read",
    [APP_WRITE] = "app:write",
    [CLUSTER_WRITE] = "cluster:write",
    [GATE_WRITE] = "gate:write",
    [FLAG_ADMIN] = "flag:admin",
    [KEY_READ] = "key:read",
    [KEY_WRITE] = "key:write",
    [DEPLOYMENT_RESOLVE] = "deployment:resolve",
    [SIGNOFF_ENGINEERING] = "signoff:engineering",
    [SIGNOFF_QA] = "signoff:qa",
    [SIGNOFF_DEVOPS] = "signoff:devops",
    [SIGNOFF_PRODUCT] = "signoff:product",
    [SIGNOFF_CUSTOMER_SUCCESS] = "signoff:customer-success",
    [SIGNOFF_SUPPORT] = "signoff:support",
    [SIGNOFF_FINAL] = "signoff:final",
    [FLAG_EVALUATE] = "flag:evaluate",
};

#define S(bit) (UINT64_C(1) << (bit))
/* Every *:read but audit:read and key:read. */
#define VIEWER                                                                                     \
    (S(APP_READ) | S(CLUSTER_READ) | S(ENVIRONMENT_READ) | S(RELEASE_READ) | S(DEPLOYMENT_READ) |  \
     S(RECORD_READ) | S(CHECKLIST_READ) | S(SIGNOFF_READ) | S(FREEZE_READ) | S(GATE_READ) |        \
     S(FLAG_READ) | S(INCIDENT_READ) | S(BACKUP_READ))
#define RELEASER                                                                                   \
    (VIEWER | S(RELEASE_WRITE) | S(DEPLOYMENT_CREATE) | S(DEPLOYMENT_PROMOTE) |                    \
     S(DEPLOYMENT_ROLLBACK) | S(TRAFFIC_WRITE) | S(CHECKLIST_WRITE) | S(FLAG_WRITE))
#define OPERATOR                                                                                   \
    (RELEASER | S(FREEZE_WRITE) | S(CHECKLIST_WAIVE) | S(INCIDENT_WRITE) | S(BACKUP_WRITE) |       \
     S(AUDIT_READ))

static const struct role {
    const char *name;
    uint64_t scopes;
} roles[] = {
    {"viewer", VIEWER},
    {"ci", VIEWER | S(RELEASE_WRITE) | S(EVIDENCE_WRITE) | S(DEPLOYMENT_CREATE)},
    {"releaser", RELEASER},
    {"approver:engineering", VIEWER | S(SIGNOFF_ENGINEERING)},
    {"approver:qa", VIEWER | S(SIGNOFF_QA)},
    {"approver:devops", VIEWER | S(SIGNOFF_DEVOPS)},
    {"approver:product", VIEWER | S(SIGNOFF_PRODUCT)},
    {"approver:customer-success", VIEWER | S(SIGNOFF_CUSTOMER_SUCCESS)},
    {"approver:support", VIEWER | S(SIGNOFF_SUPPORT)},
    {"approver:final", VIEWER | S(SIGNOFF_FINAL)},
    {"operator", OPERATOR},
    {"admin", OPERATOR | S(APP_WRITE) | S(CLUSTER_WRITE) | S(GATE_WRITE) | S(FLAG_ADMIN) |
                  S(KEY_READ) | S(KEY_WRITE) | S(DEPLOYMENT_RESOLVE)},
    {"flags:client", S(FLAG_EVALUATE)},
};
enum { ROLES = sizeof roles / sizeof *roles };
_Static_assert((int)ROLES <= (int)ROLES_MAX,
               "claims.c holds a principal's roles in an array of that size");

/* What takes a person: to sign off, to tick and waive items, to decide what is stuck, to give keys
 * out. */
#define PERSONAL                                                                                   \
    (S(SIGNOFF_ENGINEERING) | S(SIGNOFF_QA) | S(SIGNOFF_DEVOPS) | S(SIGNOFF_PRODUCT) |             \
     S(SIGNOFF_CUSTOMER_SUCCESS) | S(SIGNOFF_SUPPORT) | S(SIGNOFF_FINAL) | S(CHECKLIST_WRITE) |    \
     S(CHECKLIST_WAIVE) | S(DEPLOYMENT_RESOLVE) | S(KEY_WRITE))

/* Separation of duties: what each kind never does, whatever its roles and scopes say.  The table
 * `duty` of the database refuses the same once more. */
static const struct kind {
    const char *name;
    uint64_t never;
} kinds[] = {
    {"user", S(EVIDENCE_WRITE)}, /* evidence comes from what ran */
    {"ci", PERSONAL},
    {"bot", PERSONAL},
    {"service", PERSONAL},
};

static const char *listed[ROLES][SCOPES + 1];

static void list_scopes(void) {
    for (size_t r = 0; r < ROLES; r++)
        for (size_t s = 0, n = 0; s < SCOPES; s++)
            if (roles[r].scopes & S(s))
                listed[r][n++] = scope_texts[s];
}

static const struct role *role_find(const char *name) {
    for (size_t r = 0; r < ROLES; r++)
        if (!strcmp(roles[r].name, name))
            return &roles[r];
    return NULL;
}

const char *const *role_scopes(const char *role) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const struct role *r = role_find(role);

    pthread_once(&once, list_scopes);
    return r ? listed[r - roles] : NULL;
}

const char *role_text(const char *role) {
    const struct role *r = role_find(role);

    return r ? r->name : NULL;
}

/* SCOPES when there is none. */
static size_t scope_find(const char *scope) {
    size_t s = 0;

    while (s < SCOPES && strcmp(scope_texts[s], scope) != 0)
        s++;
    return s;
}

const char *scope_text(const char *scope) {
    size_t s = scope_find(scope);

    return s < SCOPES ? scope_texts[s] : NULL;
}

static const struct kind *kind_find(const char *name) {
    for (size_t k = 0; name && k < sizeof kinds / sizeof *kinds; k++)
        if (!strcmp(kinds[k].name, name))
            return &kinds[k];
    return NULL;
}

const char *kind_text(const char *kind) {
    const struct kind *k = kind_find(kind);

    return k ? k->name : NULL;
}

bool kind_never(const char *kind, const char *scope) {
    const struct kind *k = kind_find(kind);

    for (size_t s = 0; k && s < SCOPES; s++)
        if (k->never & S(s) && !strcmp(scope_texts[s], scope))
            return true;
    return !k;
}

bool scope_known(const char *scope) {
    return scope_text(scope) != NULL;
}

static bool holds(const char *const *list, const char *text) {
    for (; list && *list; list++)
        if (!strcmp(*list, text))
            return true;
    return false;
}

bool principal_may(const struct principal *p, const char *scope) {
    return p && holds(p->scopes, scope) && !kind_never(p->kind, scope);
}

bool principal_may_app(const struct principal *p, const char *app) {
    return p && (holds(p->apps, "*") || holds(p->apps, app));
}

bool principal_may_environment(const struct principal *p, const char *app,
                               const char *environment) {
    return principal_may_app(p, app) && (!p->environment || !strcmp(p->environment, environment));
}

bool principal_app_valid(const char *app) {
    return !strcmp(app, "*") || name_valid(app);
}

bool principal_subject_valid(const char *subject) {
    const unsigned char *s = (const unsigned char *)subject;
    size_t n = strlen(subject);

    if (n < 1 || n > PRINCIPAL_NAME_MAX)
        return false;
    for (; *s; s++)
        if (*s < 0x20 || *s == 0x7f ||
            (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)) /* C0, DEL, C1 */
            return false;
    return true;
}

static size_t list_length(const char *const *list) {
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

size_t principal_size(const struct principal *p) {
    size_t pointers = list_length(p->roles) + list_length(p->scopes) + list_length(p->apps) + 3;
    size_t bytes = strlen(p->subject) + strlen(p->issuer) + strlen(p->display_name) +
                   strlen(p->actor_json) + 4;

    for (const char *const *app = p->apps; app && *app; app++)
        bytes += strlen(*app) + 1;
    if (p->environment)
        bytes += strlen(p->environment) + 1;
    return sizeof *p + pointers * sizeof(char *) + bytes;
}

/* Where principal_place has come to: pointers first, because they need alignment, then bytes. */
struct cursor {
    const char **pointers;
    char *bytes;
};

static const char *place_text(struct cursor *c, const char *text) {
    size_t n = strlen(text) + 1;
    char *at = memcpy(c->bytes, text, n);

    c->bytes += n;
    return at;
}

static const char *const *place_list(struct cursor *c, const char *const *list, bool texts_too) {
    const char **at = c->pointers;

    for (; list && *list; list++)
        *c->pointers++ = texts_too ? place_text(c, *list) : *list;
    *c->pointers++ = NULL;
    return at;
}

const struct principal *principal_place(void *memory, const struct principal *p) {
    size_t pointers = list_length(p->roles) + list_length(p->scopes) + list_length(p->apps) + 3;
    struct principal *out = memory;
    struct cursor c = {.pointers = (const char **)(void *)(out + 1)};

    c.bytes = (char *)(c.pointers + pointers);
    out->kind = p->kind;
    out->expires_us = p->expires_us;
    out->subject = place_text(&c, p->subject);
    out->issuer = place_text(&c, p->issuer);
    out->display_name = place_text(&c, p->display_name);
    out->actor_json = place_text(&c, p->actor_json);
    out->roles = place_list(&c, p->roles, false);
    out->scopes = place_list(&c, p->scopes, false);
    out->apps = place_list(&c, p->apps, true);
    out->environment = p->environment ? place_text(&c, p->environment) : NULL;
    return out;
}
