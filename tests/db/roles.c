/* tests/db/roles.c: what the database itself refuses: to sluice_app and sluice_auditor, and to
 * everybody; and which actor may have which record. */
#include "auth/principal.h"
#include "base/cleanup.h"
#include "db/db.h"
#include "db/migrate.h"
#include "db/record.h"
#include "tests/support/pg.h"
#include "tests/support/rows.h"
#include "tests/support/suite.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#define ENVIRONMENT "0190a000-0000-7000-8000-0000000000e0"
#define RELEASE     "0190a000-0000-7000-8000-0000000000a0"
#define ENDED       "0190a000-0000-7000-8000-0000000000d0"
#define RUNNING     "0190a000-0000-7000-8000-0000000000d1"
#define OP          "0190a000-0000-7000-8000-0000000000c0"
#define ACTOR       "'{\"kind\": \"service\"}'"
#define APPEND      "record_append('inopnc', " ACTOR ", 'test', 'app.put', 's', 'm', '{}', NULL)"

static char *url;
static char error[512];

/* The same database as another role. */
static char *as(const char *role) {
    size_t n = strlen(url) - strlen("postgres");

    return xasprintf("%.*s%s", (int)n, url, role);
}

static void roles(void) {
    ck_assert_msg(db_roles_setup(url, error, sizeof error) == STATUS_OK, "%s", error);
}

/* One of everything, before there were roles. */
static void setup(void) {
    url = pg_database();
    free(pg_sql(
        url,
        ROWS_INOPNC(ENVIRONMENT, RELEASE) ROWS_DEPLOYMENTS(
            ENVIRONMENT, RELEASE,
            "('" ENDED "', 'succeeded'), ('" RUNNING
            "', 'running')") "INSERT INTO step (deployment_id, ordinal, name, title) VALUES "
                             "('" ENDED "', 1, 'a', 'A');"
                             "INSERT INTO intent (op, deployment_id, job, step, purpose, kind, "
                             "name, write, epoch,"
                             " result) VALUES ('" OP "', '" ENDED
                             "', 'deploy', 'apply', 'apply', 'Deployment', 'd',"
                             " '{}', 7, 'done');"
                             "INSERT INTO environment_lease (environment_id) VALUES ('" ENVIRONMENT
                             "');"
                             "SELECT " APPEND "; SELECT " APPEND));
    roles();
}

static void teardown(void) {
    free(url);
}

/* What must be as it was after every refusal. */
static char *everything(void) {
    return pg_sql(url, "SELECT md5(concat((SELECT array_agg(r ORDER BY chain, seq) FROM record r),"
                       " (SELECT array_agg(c ORDER BY name) FROM chain c),"
                       " (SELECT array_agg(d ORDER BY id) FROM deployment d),"
                       " (SELECT array_agg(s ORDER BY ordinal) FROM step s),"
                       " (SELECT array_agg(i ORDER BY op) FROM intent i),"
                       " (SELECT array_agg(r ORDER BY id) FROM release r),"
                       " (SELECT array_agg(d ORDER BY kind, action) FROM duty d),"
                       " (SELECT array_agg(relacl::text || relowner ORDER BY relname)"
                       "  FROM pg_class WHERE relnamespace = 'public'::regnamespace),"
                       " (SELECT array_agg(prosrc || proowner ORDER BY proname) FROM pg_proc"
                       "  WHERE pronamespace = 'public'::regnamespace)))");
}

/* ---- attempts ---- */

/* "" when it was done, else its SQLSTATE. */
static const char *attempt(PGconn *c, const char *sql, char state[6]) {
    PGresult *r = PQexec(c, sql);
    const char *said = PQresultErrorField(r, PG_DIAG_SQLSTATE);

    snprintf(state, 6, "%s", said ? said : "");
    PQclear(r);
    return state;
}

static const char *const of_everybody[] = {
    /* the record */
    "UPDATE record SET line = '{}'",
    "UPDATE record SET seq = seq + 10 WHERE seq = 2",
    "DELETE FROM record",
    "DELETE FROM record WHERE seq = 2",
    "TRUNCATE record",
    "TRUNCATE chain CASCADE",
    "DELETE FROM chain",
    "UPDATE chain SET length = 1",
    "UPDATE chain SET head = repeat('0', 64)",
    "UPDATE chain SET name = 'other'",
    "UPDATE chain SET length = length + 2",
    /* deployments */
    "UPDATE deployment SET state = 'running' WHERE id = '" ENDED "'",
    "UPDATE deployment SET state = 'failed' WHERE id = '" ENDED "'",
    "UPDATE deployment SET plan = '{\"a\": 1}' WHERE id = '" ENDED "'",
    "UPDATE deployment SET failure = '{}' WHERE id = '" ENDED "'",
    "UPDATE deployment SET ended_at = clock_timestamp() WHERE id = '" ENDED "'",
    "UPDATE deployment SET requested_by = '{\"a\": 1}' WHERE id = '" ENDED "'",
    "UPDATE deployment SET acceptance = 'accepted' WHERE id = '" ENDED "'",
    "DELETE FROM deployment",
    "TRUNCATE deployment CASCADE",
    /* the journal */
    "UPDATE intent SET write = '{\"a\": 1}'",
    "UPDATE intent SET op = gen_random_uuid()",
    "UPDATE intent SET epoch = 8",
    "UPDATE intent SET result = NULL",
    "UPDATE intent SET result = 'refused'",
    "DELETE FROM intent",
    "TRUNCATE intent",
    /* releases */
    "UPDATE release SET image = 'other'",
    "UPDATE release SET digest = 'sha256:0'",
    "UPDATE release SET version = 'v9.9.9'",
    "UPDATE release SET content_digest = 'x'",
    "UPDATE release SET created_by = '{\"a\": 1}'",
    "DELETE FROM release",
    "TRUNCATE release CASCADE",
};

static const char *const of_the_app[] = {
    "INSERT INTO record SELECT chain, 3, line, action, NULL, at, xid FROM record WHERE seq = 2",
    "INSERT INTO chain (name) VALUES ('forged')",
    "UPDATE chain SET length = length + 1",
    "UPDATE deployment SET requested_by = '{\"a\": 1}' WHERE id = '" RUNNING "'",
    "UPDATE deployment SET release_id = NULL WHERE id = '" RUNNING "'",
    "DELETE FROM step",
    "DELETE FROM environment_lease",
    "TRUNCATE app CASCADE",
    "TRUNCATE idempotency",
    "DELETE FROM nonce", /* or what was signed could be sent again */
    "UPDATE nonce SET created = created + 1",
    "TRUNCATE nonce",
    "DROP TABLE nonce",
    "DO $$ BEGIN EXECUTE (SELECT 'DROP TABLE ' || min(inhrelid::regclass::text) FROM pg_inherits"
    " WHERE inhparent = 'nonce'::regclass); END $$",
    "DO $$ BEGIN EXECUTE (SELECT 'DELETE FROM ' || min(inhrelid::regclass::text) FROM pg_inherits"
    " WHERE inhparent = 'nonce'::regclass); END $$",
    "INSERT INTO duty VALUES ('user', 'app.put', '')",
    "DELETE FROM duty",
    "UPDATE table_grant SET app = 'ALL'",
    "INSERT INTO schema_migration (version, name, sha256) VALUES (9999, '', '')",
    "DELETE FROM schema_migration",
    "CREATE TABLE mine (a int)",
    "CREATE TEMPORARY TABLE mine (a int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'",
    "CREATE EXTENSION dblink",
    "CREATE TRIGGER mine BEFORE INSERT ON record FOR EACH ROW EXECUTE FUNCTION refuse_change('')",
    "CREATE RULE mine AS ON INSERT TO record DO INSTEAD NOTHING",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE INDEX ON record (line)",
    "CREATE ROLE mine",
    "ALTER TABLE record DISABLE TRIGGER USER",
    "ALTER TABLE record ADD COLUMN a int",
    "ALTER TABLE record OWNER TO sluice_app",
    "ALTER FUNCTION record_append SECURITY INVOKER",
    "ALTER FUNCTION record_append RESET search_path",
    "ALTER FUNCTION record_append OWNER TO sluice_app",
    "CREATE OR REPLACE FUNCTION record_append(p_chain text, p_actor jsonb, p_from text, p_action"
    " text, p_subject text, p_message text, p_data jsonb, p_deployment uuid) RETURNS bigint"
    " LANGUAGE sql AS 'SELECT 1::bigint'",
    "ALTER ROLE sluice_app CREATEROLE",
    "ALTER ROLE sluice_auditor LOGIN",
    "DROP TABLE record",
    "DROP TABLE app CASCADE",
    "DROP FUNCTION record_append",
    "DROP TRIGGER record_stays ON record",
    "DROP INDEX deployment_one_active",
    "DROP SCHEMA public CASCADE",
    "GRANT sluice_owner TO sluice_app",
    "SET ROLE sluice_owner",
    "SET ROLE sluice_auditor",
    "SET SESSION AUTHORIZATION sluice_owner",
    "SET session_replication_role = replica",
    "DO $$ BEGIN LOCK TABLE record IN ACCESS EXCLUSIVE MODE; END $$",
    "SELECT * FROM record FOR UPDATE",
    "SELECT roles_setup()",
    "SELECT roles_grant()",
    "SELECT setval('replica_number', 1)",
    "COPY record TO PROGRAM 'true'",
    "COPY record FROM STDIN",
    "SELECT pg_read_file('PG_VERSION')",
    "DO $$ BEGIN PERFORM 1 FROM chain FOR UPDATE; END $$",
};

static const char *const of_the_auditor[] = {
    "SELECT * FROM idempotency",
    "SELECT sealed FROM key_secret",
    "SELECT digest FROM key_secret",
    "SELECT * FROM nonce",
    "SELECT " APPEND,
    "SELECT nonce_partitions()",
    "SELECT tick_commit(NULL, NULL, 1, 1, '{}')",
    "SELECT nextval('replica_number')",
    "INSERT INTO record SELECT chain, 3, line, action, NULL, at, xid FROM record WHERE seq = 2",
    "INSERT INTO app (name, spec) VALUES ('mine', '{}')",
    "UPDATE app SET spec = '{}'",
    "DELETE FROM environment",
    "UPDATE step SET state = 'done'",
    "UPDATE environment_lease SET epoch = epoch + 1",
    "UPDATE release SET yanked_at = clock_timestamp()",
    "UPDATE deployment SET state = 'aborted' WHERE id = '" RUNNING "'",
    "CREATE TABLE mine (a int)",
    "CREATE TEMPORARY TABLE mine (a int)",
    "SET ROLE sluice_app",
    "SET ROLE sluice_owner",
    "DROP TABLE record",
    "SELECT roles_setup()",
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Each is refused as "not allowed", and everything is as it was. */
static size_t refuses(const char *role, const char *const *attempts, size_t n) {
    _cleanup_free_ char *at = as(role), *before = everything(), *after = NULL;
    PGconn *c = PQconnectdb(at);

    ck_assert_msg(PQstatus(c) == CONNECTION_OK, "%s", PQerrorMessage(c));
    PQclear(PQexec(c, "SET client_min_messages = error"));
    for (size_t i = 0; i < n; i++) {
        char state[6];

        attempt(c, attempts[i], state);
        ck_assert_msg(strcmp(state, "42501") == 0, "%s: %s: \"%s\"", role, attempts[i], state);
    }
    PQfinish(c);
    after = everything();
    ck_assert_str_eq(after, before);
    return n;
}

START_TEST(roles__the_application_changes_no_past) {
    size_t n = refuses("sluice_app", of_everybody, COUNT(of_everybody)) +
               refuses("sluice_app", of_the_app, COUNT(of_the_app));

    printf("# sluice_app: %zu attempts refused\n", n);
}
END_TEST

START_TEST(roles__the_auditor_only_reads) {
    size_t n = refuses("sluice_auditor", of_everybody, COUNT(of_everybody)) +
               refuses("sluice_auditor", of_the_auditor, COUNT(of_the_auditor));
    _cleanup_free_ char *at = as("sluice_auditor");

    printf("# sluice_auditor: %zu attempts refused\n", n);
    ck_assert_int_eq(pg_number(at, "SELECT count(*) FROM record"), 2);
    ck_assert_int_eq(pg_number(at, "SELECT count(*) FROM deployment, chain, intent, step, release"),
                     2);
}
END_TEST

/* The owner may take triggers away; nobody changes the past by mistake. */
START_TEST(roles__triggers_hold_for_the_owner_and_superusers) {
    size_t n;

    free(pg_sql(url, "ALTER ROLE sluice_owner LOGIN"));
    n = refuses("sluice_owner", of_everybody, COUNT(of_everybody));
    free(pg_sql(url, "ALTER ROLE sluice_owner NOLOGIN"));
    n += refuses("postgres", of_everybody, COUNT(of_everybody));
    printf("# owner and superuser: %zu attempts refused\n", n);
}
END_TEST

START_TEST(roles__what_the_application_does_is_allowed) {
    static const char *const done[] = {
        "SELECT " APPEND,
        "UPDATE deployment SET rolled_back_by = '" RUNNING "' WHERE id = '" ENDED "'",
        "UPDATE deployment SET state = 'undoing', job = 'undo' WHERE id = '" RUNNING "'",
        "UPDATE release SET yanked_at = clock_timestamp(), yank_reason = 'bad'",
        "UPDATE intent SET result = 'void'",
        "SELECT nextval('replica_number')",
        "SELECT lease_is_free(l) FROM environment_lease l",
        "SELECT nonce_partitions()",
        "INSERT INTO nonce VALUES ('k', 'n', extract(epoch FROM clock_timestamp())::bigint)",
        "DELETE FROM environment; DELETE FROM app; DELETE FROM cluster",
    };
    _cleanup_free_ char *at = as("sluice_app");

    for (size_t i = 0; i < COUNT(done); i++)
        free(pg_sql(at, "%s", done[i]));
}
END_TEST

START_TEST(roles__what_is_noted_afterwards_is_noted_once) {
    static const char *const twice[] = {
        "UPDATE deployment SET rolled_back_by = gen_random_uuid() WHERE id = '" ENDED "'",
        "UPDATE deployment SET rolled_back_by = NULL WHERE id = '" ENDED "'",
        "UPDATE release SET yank_reason = 'another'",
        "UPDATE release SET yanked_at = NULL, yank_reason = NULL",
        "UPDATE intent SET result = 'done'",
    };

    free(pg_sql(url, "UPDATE deployment SET rolled_back_by = '" RUNNING "' WHERE id = '" ENDED "';"
                     "UPDATE release SET yanked_at = clock_timestamp(), yank_reason = 'bad';"
                     "UPDATE intent SET result = 'void'"));
    refuses("sluice_app", twice, COUNT(twice));
    refuses("postgres", twice, COUNT(twice));
}
END_TEST

/* ---- search_path ---- */

/* Objects that would stand in for ours if a definer's function looked them up as its caller does.
 */
#define DECOYS(schema)                                                                             \
    "CREATE TABLE " schema ".record (LIKE public.record);"                                         \
    "CREATE TABLE " schema ".chain (LIKE public.chain INCLUDING ALL);"                             \
    "CREATE TABLE " schema ".duty (LIKE public.duty);"                                             \
    "CREATE FUNCTION " schema ".sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1';"          \
    "CREATE FUNCTION " schema ".clock_timestamp() RETURNS timestamptz LANGUAGE sql"                \
    " AS 'SELECT ''2000-01-01''::timestamptz';"                                                    \
    "CREATE FUNCTION " schema ".like_not(text, text) RETURNS bool LANGUAGE sql"                    \
    " AS 'SELECT false';"                                                                          \
    "CREATE OPERATOR " schema ".~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = " schema           \
    ".like_not);"

static void expect_ours(PGconn *c, const char *decoys, const char *path) {
    static const char forbidden[] = "SELECT public.record_append('inopnc', '{\"kind\": \"ci\"}',"
                                    " 'test', 'signoff.created', 's', 'm', '{}', NULL)";
    _cleanup_free_ char *set = xasprintf("SET search_path = %s", path);
    long before = pg_number(url, "SELECT length FROM public.chain WHERE name = 'inopnc'");
    PGresult *r = PQexec(c, decoys);
    char state[6];

    ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK, "%s", PQresultErrorMessage(r));
    PQclear(r);
    ck_assert_str_eq(attempt(c, set, state), "");
    ck_assert_str_eq(attempt(c, "SELECT public." APPEND, state), "");
    ck_assert_str_eq(attempt(c, forbidden, state), "SL002");
    ck_assert_int_eq(pg_number(url, "SELECT length FROM public.chain WHERE name = 'inopnc'"),
                     before + 1);
    ck_assert_int_eq(pg_number(url,
                               "SELECT count(*) FROM public.record r JOIN public.chain c ON"
                               " c.name = r.chain AND c.length = r.seq WHERE r.chain = 'inopnc' AND"
                               " encode(sha256(convert_to(r.line, 'UTF8')), 'hex') = c.head AND"
                               " r.at > '2020-01-01'"),
                     1);
}

START_TEST(roles__no_search_path_leads_the_definers_functions_astray) {
    _cleanup_free_ char *at = as("sluice_app");
    PGconn *c = PQconnectdb(at);

    free(pg_sql(url,
                "GRANT TEMPORARY ON DATABASE %s TO sluice_app;"
                "CREATE SCHEMA mine AUTHORIZATION sluice_app",
                PQdb(c)));
    expect_ours(c, DECOYS("mine"), "mine, public");
    expect_ours(c, DECOYS("pg_temp"), "pg_temp, mine, public, pg_catalog");
    PQfinish(c);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM mine.record"), 0);
}
END_TEST

START_TEST(roles__every_definers_function_is_pinned_and_not_for_everybody) {
    _cleanup_free_ char *bad =
        pg_sql(url, "SELECT string_agg(proname, ' ') FROM pg_proc WHERE prosecdef"
                    " AND pronamespace = 'public'::regnamespace"
                    " AND (NOT EXISTS (SELECT FROM unnest(proconfig) s"
                    "                  WHERE s LIKE 'search_path=%%' AND s LIKE '%%pg_temp')"
                    "      OR has_function_privilege('public', oid, 'EXECUTE'))");

    ck_assert_msg(!bad, "no pinned search_path that ends in pg_temp, or EXECUTE for PUBLIC: %s",
                  bad);
}
END_TEST

START_TEST(roles__every_table_says_who_may_what) {
    _cleanup_free_ char *missing =
        pg_sql(url, "SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind IN ('r', 'p')"
                    " AND NOT relispartition AND relnamespace = 'public'::regnamespace"
                    " AND NOT EXISTS (SELECT FROM table_grant g WHERE g.name = relname)");

    ck_assert_msg(!missing, "without a row in table_grant (db/migrate.h): %s", missing);
}
END_TEST

/* ---- setting up ---- */

static char *rights(void) {
    return pg_sql(url, "SELECT md5(concat("
                       " (SELECT array_agg(relacl::text || relowner ORDER BY relname) FROM pg_class"
                       "  WHERE relnamespace = 'public'::regnamespace),"
                       " (SELECT array_agg(attacl::text ORDER BY attrelid, attnum) FROM"
                       "  pg_attribute WHERE attacl IS NOT NULL),"
                       " (SELECT array_agg(proacl::text || proowner ORDER BY proname) FROM pg_proc"
                       "  WHERE pronamespace = 'public'::regnamespace),"
                       " (SELECT nspacl FROM pg_namespace WHERE nspname = 'public'),"
                       " (SELECT datacl FROM pg_database WHERE datname = current_database())))");
}

START_TEST(roles__setting_up_again_changes_nothing) {
    _cleanup_free_ char *before = rights(), *after = NULL;

    roles();
    ck_assert_int_eq(db_migrate(url, NULL, error, sizeof error), STATUS_OK);
    after = rights();
    ck_assert_str_eq(after, before);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM pg_class c WHERE relnamespace ="
                                    " 'public'::regnamespace AND pg_get_userbyid(relowner) <>"
                                    " 'sluice_owner'"),
                     0);
}
END_TEST

/* A database of an ordinary role, as hosted PostgreSQL gives one. */
static void owned_by(const char *role, const char *attributes) {
    free(url);
    url = pg_empty_database();
    free(pg_sql(url,
                "DO $$ BEGIN CREATE ROLE %s LOGIN %s; EXECUTE format('ALTER DATABASE %%I OWNER TO"
                " %s', current_database()); END $$",
                role, attributes, role));
}

START_TEST(roles__an_owner_with_createrole_sets_up_and_migrates) {
    _cleanup_free_ char *owner = NULL, *app = NULL;
    int applied = -1;

    owned_by("keeper", "CREATEROLE");
    owner = as("keeper");
    app = as("sluice_app");
    ck_assert_int_eq(db_migrate(owner, NULL, error, sizeof error), STATUS_OK);
    ck_assert_msg(db_roles_setup(owner, error, sizeof error) == STATUS_OK, "%s", error);
    ck_assert_msg(db_roles_setup(owner, error, sizeof error) == STATUS_OK, "%s", error);
    /* as if 0005 were new: it is made as sluice_owner's, with the application's rights */
    free(pg_sql(url, "DELETE FROM schema_migration WHERE version = 5; DROP TABLE left_behind;"
                     "DROP FUNCTION left_store"));
    ck_assert_int_eq(db_migrate(app, &applied, error, sizeof error), FAULT_DATABASE);
    ck_assert_msg(strstr(error, "0005_create_left is missing, and role sluice_app may not") &&
                      strstr(error, "belongs to sluice_owner"),
                  "%s", error);
    ck_assert_msg(db_migrate(owner, &applied, error, sizeof error) == STATUS_OK, "%s", error);
    ck_assert_int_eq(applied, 1);
    ck_assert_int_eq(pg_number(url, "SELECT (pg_get_userbyid(relowner) = 'sluice_owner' AND"
                                    " has_table_privilege('sluice_app', oid, 'INSERT') AND NOT"
                                    " has_table_privilege('sluice_app', oid, 'DELETE'))::int"
                                    " FROM pg_class WHERE relname = 'left_behind'"),
                     1);
    ck_assert_int_eq(pg_number(app, "SELECT count(*) FROM left_behind"), 0);
    ck_assert_msg(db_migrate(app, &applied, error, sizeof error) == STATUS_OK, "%s", error);
    ck_assert_int_eq(applied, 0);
}
END_TEST

START_TEST(roles__who_may_not_set_up_is_told_why) {
    _cleanup_free_ char *owner = NULL, *stranger = NULL;

    owned_by("modest", "");
    owner = as("modest");
    ck_assert_int_eq(db_migrate(owner, NULL, error, sizeof error), STATUS_OK);
    stranger = as("sluice_app");
    free(pg_sql(url, "GRANT USAGE ON SCHEMA public TO sluice_app; GRANT EXECUTE ON FUNCTION"
                     " roles_setup TO sluice_app"));
    ck_assert_int_eq(db_roles_setup(stranger, error, sizeof error), FAULT_DATABASE);
    ck_assert_msg(strstr(error, "sluice_app does not own the database"), "%s", error);
    free(pg_sql(url, "ALTER ROLE sluice_auditor RENAME TO away"));
    ck_assert_int_eq(db_roles_setup(owner, error, sizeof error), FAULT_DATABASE);
    ck_assert_msg(strstr(error, "modest may not create the role sluice_auditor: it lacks CREATE"),
                  "%s", error);
    free(pg_sql(url, "ALTER ROLE away RENAME TO sluice_auditor; GRANT sluice_owner TO modest"));
    ck_assert_msg(db_roles_setup(owner, error, sizeof error) == STATUS_OK, "%s", error);
}
END_TEST

START_TEST(roles__a_role_that_may_too_much_is_refused) {
    static const char *const much[] = {"SUPERUSER", "CREATEROLE", "CREATEDB", "BYPASSRLS"};

    for (size_t i = 0; i < COUNT(much); i++) {
        free(pg_sql(url, "ALTER ROLE sluice_app %s", much[i]));
        ck_assert_int_eq(db_roles_setup(url, error, sizeof error), FAULT_DATABASE);
        ck_assert_msg(strstr(error, "sluice_app may more than it should"), "%s", error);
        free(pg_sql(url, "ALTER ROLE sluice_app NO%s", much[i]));
    }
    free(pg_sql(url, "GRANT sluice_owner TO sluice_auditor"));
    ck_assert_int_eq(db_roles_setup(url, error, sizeof error), FAULT_DATABASE);
    free(pg_sql(url, "REVOKE sluice_owner FROM sluice_auditor"));
    roles();
}
END_TEST

/* ---- duties ---- */

static Status append_fn(struct db_tx *tx, void *ctx) {
    return record_append(tx, ctx);
}

static Status append(struct db_pool *pool, const char *actor, const char *from,
                     const char *action) {
    return db_tx_run(pool, "append", DB_READ_COMMITTED, append_fn,
                     &(struct record_entry){.app = "inopnc",
                                            .actor = actor,
                                            .from = from,
                                            .action = action,
                                            .subject = "s",
                                            .message = "m"});
}

/* The two tables, in C and in SQL, say the same. */
START_TEST(duties__the_database_refuses_what_the_program_refuses) {
    static const struct {
        const char *scope, *action;
    } cases[] = {
        {"signoff:qa", "signoff.created"},
        {"signoff:final", "signoff.withdrawn"},
        {"checklist:waive", "checklist.waived"},
        {"checklist:write", "checklist.passed"},
        {"checklist:write", "checklist.failed"},
        {"checklist:write", "checklist.open"},
        {"deployment:resolve", "deployment.failed"},
        {"key:write", "key.created"},
        {"deployment:resolve", "deployment.succeeded"},
        {"key:write", "key.revoked"},
        {"evidence:write", "evidence.created"},
        {"app:write", "app.put"},
        {"deployment:rollback", "deployment.undoing"},
        {"release:write", "release.created"},
    };
    static const char *const kinds[] = {"user", "ci", "bot", "service"};
    _cleanup_free_ char *at = as("sluice_app");
    struct db_pool *pool = db_pool_new(&(struct db_settings){.url = at, .size = 1});
    long refused = 0, records = pg_number(url, "SELECT count(*) FROM record");

    for (size_t k = 0; k < COUNT(kinds); k++) {
        _cleanup_free_ char *actor = xasprintf("{\"kind\": \"%s\", \"subject\": \"s\"}", kinds[k]);

        for (size_t i = 0; i < COUNT(cases); i++) {
            bool never = kind_never(kinds[k], cases[i].scope);

            ck_assert_msg(append(pool, actor, "127.0.0.1", cases[i].action) ==
                              (never ? E_FORBIDDEN : STATUS_OK),
                          "%s, %s: %s", kinds[k], cases[i].action, db_fault_text());
            if (never)
                ck_assert_msg(strstr(db_fault_text(), kinds[k]), "%s", db_fault_text());
            refused += never;
        }
    }
    ck_assert_int_eq(refused, 3 * 10 + 1);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM record") - records,
                     (long)(COUNT(kinds) * COUNT(cases)) - refused);
    db_pool_free(pool);
}
END_TEST

START_TEST(duties__sluice_itself_ends_deployments_and_signs_nothing) {
    static const char us[] = "{\"kind\": \"service\", \"subject\": \"sluiced\"}";
    struct db_pool *pool = db_pool_new(&(struct db_settings){.url = url, .size = 1});

    ck_assert_int_eq(append(pool, us, "worker", "deployment.succeeded"), STATUS_OK);
    ck_assert_int_eq(append(pool, us, "worker", "deployment.failed"), STATUS_OK);
    ck_assert_int_eq(append(pool, us, "worker", "signoff.created"), E_FORBIDDEN);
    ck_assert_int_eq(append(pool, us, "worker", "evidence.created"), E_FORBIDDEN);
    db_pool_free(pool);
}
END_TEST

START_TEST(duties__an_unknown_kind_records_nothing) {
    static const char *const actors[] = {"{}",
                                         "null",
                                         "[]",
                                         "\"user\"",
                                         "{\"kind\": null}",
                                         "{\"kind\": \"root\"}",
                                         "{\"kind\": \"worker\"}",
                                         "{\"kind\": \"User\"}",
                                         "{\"kind\": 1}"};
    static const char *const from[] = {"127.0.0.1", "worker"};
    struct db_pool *pool = db_pool_new(&(struct db_settings){.url = url, .size = 1});

    for (size_t i = 0; i < COUNT(actors); i++)
        for (size_t k = 0; k < COUNT(from); k++)
            ck_assert_msg(append(pool, actors[i], from[k], "app.put") == E_FORBIDDEN, "%s",
                          actors[i]);
    ck_assert_int_eq(append(pool, NULL, "worker", "app.put"), E_FORBIDDEN);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM record"), 2);
    db_pool_free(pool);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH(
        "roles", 30, setup, teardown, roles__the_application_changes_no_past,
        roles__the_auditor_only_reads, roles__triggers_hold_for_the_owner_and_superusers,
        roles__what_the_application_does_is_allowed, roles__what_is_noted_afterwards_is_noted_once,
        roles__no_search_path_leads_the_definers_functions_astray,
        roles__every_definers_function_is_pinned_and_not_for_everybody,
        roles__every_table_says_who_may_what, roles__setting_up_again_changes_nothing,
        roles__an_owner_with_createrole_sets_up_and_migrates, roles__who_may_not_set_up_is_told_why,
        roles__a_role_that_may_too_much_is_refused,
        duties__the_database_refuses_what_the_program_refuses,
        duties__sluice_itself_ends_deployments_and_signs_nothing,
        duties__an_unknown_kind_records_nothing);
}
