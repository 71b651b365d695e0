/* tests/support/pg.h: a throw-away PostgreSQL cluster for one test program.
 *
 *     int main(void) { pg_start(); return RUN_SUITE("pool", 20, …); }
 *
 * A guardian process keeps the cluster: it ends it and removes its files when the program ends,
 * however it ends (a failed test, a signal, kill -9).  Only a socket in a directory of its own: no
 * port to fight about.  Run as root, the cluster belongs to an ordinary user.  What is started here
 * may be used by the forked tests too. */
#pragma once
#include <sys/types.h>

/* Starts the cluster and migrates the template of pg_database().  Before any thread exists.  Ends
 * the program with one line when it cannot.  `settings`, NULL-terminated: further "name=value" of
 * postgresql.conf; may be NULL. */
void pg_start_with(const char *const *settings);
void pg_start(void);

/* The URL of a new database with the schema, or of an empty one; yours. */
char *pg_database(void);
char *pg_empty_database(void);
const char *pg_socket(void); /* path of the cluster's socket: where a proxy connects to */

/* Runs SQL outside the code under test; ends the test when it fails.  The first value of the last
 * statement, yours; NULL when there is none. */
char *pg_sql(const char *url, const char *format, ...) __attribute__((format(printf, 2, 3)));
long pg_number(const char *url, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A transaction of somebody else's that has run this SQL and is still open. */
struct pg_session;
struct pg_session *pg_hold(const char *url, const char *sql);
/* Runs more SQL in it (NULL: none) and commits. */
void pg_let_go(struct pg_session *s, const char *sql);

void pg_crash(void);       /* immediate stop, as a crash */
void pg_start_again(void); /* after pg_crash: returns when it accepts connections */
