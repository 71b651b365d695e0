/* tests/support/rows.h: what an environment needs to be there, as SQL: app, cluster, environment
 * production and release v1.2.3 of INOPNC.  The ids are string literals. */
#pragma once

#define ROWS_INOPNC(environment, release)                                                          \
    "INSERT INTO app (name, spec) VALUES ('inopnc', '{}');"                                        \
    "INSERT INTO cluster (name, spec) VALUES ('local', '{}');"                                     \
    "INSERT INTO environment (id, app, name, cluster, namespace, spec)"                            \
    " VALUES ('" environment "', 'inopnc', 'production', 'local', 'production', '{}');"            \
    "INSERT INTO release (id, app, version, version_key, precedence, image, content_digest,"       \
    " created_by) VALUES ('" release "', 'inopnc', 'v1.2.3', '1.2.3', '', 'i', '', '{}');"

/* A deployment of them: columns id, state. */
#define ROWS_DEPLOYMENTS(environment, release, values)                                             \
    "INSERT INTO deployment (id, environment_id, app, environment, release_id, version,"           \
    " strategy, kind, state, requested_by, plan) SELECT d.id::uuid, '" environment "', 'inopnc',"  \
    " 'production', '" release "', 'v1.2.3', 'blue-green', 'deploy', d.state, '{}', '{}'"          \
    " FROM (VALUES " values ") d (id, state);"
