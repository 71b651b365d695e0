-- Apps, clusters, environments, releases, and the record chain.

CREATE TABLE app (
    name       text PRIMARY KEY,
    spec       jsonb NOT NULL,
    revision   bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE app IS 'What is deployed.';
COMMENT ON COLUMN app.spec IS 'The body of PUT /apps/{app}: description, repository, image, owners.';
COMMENT ON COLUMN app.revision IS 'Counts writes; the ETag.';

CREATE TABLE cluster (
    name       text PRIMARY KEY,
    spec       jsonb NOT NULL,
    uid        text,
    revision   bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE cluster IS 'A Kubernetes API server that environments live in.';
COMMENT ON COLUMN cluster.uid IS 'uid of its namespace kube-system; null until it was reached once.';

CREATE TABLE environment (
    id                 uuid PRIMARY KEY,
    app                text NOT NULL REFERENCES app,
    name               text NOT NULL,
    cluster            text NOT NULL REFERENCES cluster,
    namespace          text NOT NULL,
    spec               jsonb NOT NULL,
    revision           bigint NOT NULL DEFAULT 1,
    manifests          text,
    manifests_revision bigint NOT NULL DEFAULT 0,
    gate_version       bigint NOT NULL DEFAULT 0,
    cutover            bigint NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (app, name)
);
COMMENT ON TABLE environment IS 'Where an app is deployed, and how.';
COMMENT ON COLUMN environment.spec IS 'The whole body of PUT …/environments/{env}.';
COMMENT ON COLUMN environment.manifests IS 'YAML documents applied when a release brings none.';
COMMENT ON COLUMN environment.gate_version IS 'Law 4: updated first by every transaction that starts a deployment, commits a cut-over or changes a gate fact, which serialises them.';
COMMENT ON COLUMN environment.cutover IS 'Counts ended deployments: a create that observed the cluster before an end that it did not see looks again.';

CREATE TABLE environment_object (
    cluster_uid    text NOT NULL,
    namespace      text NOT NULL,
    kind           text NOT NULL,
    name           text NOT NULL,
    environment_id uuid NOT NULL REFERENCES environment ON DELETE CASCADE,
    PRIMARY KEY (cluster_uid, namespace, kind, name)
);
COMMENT ON TABLE environment_object IS 'Law 1: no two environments may name the same Service or workload of one cluster.';
CREATE INDEX environment_object_environment ON environment_object (environment_id);

CREATE TABLE release (
    id             uuid PRIMARY KEY,
    app            text NOT NULL,
    version        text NOT NULL,
    version_key    text NOT NULL,
    precedence     bytea NOT NULL,
    image          text NOT NULL,
    digest         text,
    commit         text,
    notes          text,
    manifests      text,
    migrations     jsonb NOT NULL DEFAULT '[]',
    flags          jsonb NOT NULL DEFAULT '[]',
    source         jsonb,
    content_digest text NOT NULL,
    created_by     jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    yanked_at      timestamptz,
    yank_reason    text,
    UNIQUE (app, version_key)
);
COMMENT ON TABLE release IS 'An immutable version of an app. Outlives its app''s row: an app made again finds its releases.';
COMMENT ON COLUMN release.version_key IS 'The version without its optional v: v1.2.3 and 1.2.3 are one release.';
COMMENT ON COLUMN release.precedence IS 'Bytes whose order is semver precedence (semver.org §11).';
COMMENT ON COLUMN release.content_digest IS 'SHA-256 over what gates bind to (design.md, Gates).';
CREATE INDEX release_newest ON release (app, precedence DESC, version_key DESC);

CREATE TABLE chain (
    name   text PRIMARY KEY,
    length bigint NOT NULL DEFAULT 0,
    head   text NOT NULL DEFAULT repeat('0', 64),
    xid    xid8 NOT NULL DEFAULT '0'
);
COMMENT ON TABLE chain IS 'Heads of the record chains: system, APP, APP/ENV. Never deleted: a name made again goes on.';

COMMENT ON COLUMN chain.xid IS 'record.xid of its last record.';

CREATE TABLE record (
    chain         text NOT NULL REFERENCES chain,
    seq           bigint NOT NULL,
    line          text NOT NULL,
    action        text NOT NULL,
    deployment_id uuid,
    at            timestamptz NOT NULL,
    xid           xid8 NOT NULL,
    PRIMARY KEY (chain, seq)
);
COMMENT ON TABLE record IS 'The audit chain and the event streams: one line of JSON each, stored as its exact bytes.';
COMMENT ON COLUMN record.xid IS 'Of its transaction, or of the record before it where that is higher, so that (xid, chain, seq) keeps each chain in its order. A stream over several chains delivers in this order, and only below pg_snapshot_xmin: whatever commits later comes after.';
CREATE INDEX record_deployment ON record (deployment_id, seq) WHERE deployment_id IS NOT NULL;
CREATE INDEX record_order ON record (xid, chain, seq);

CREATE FUNCTION record_append(p_chain text, p_actor jsonb, p_from text, p_action text, p_subject text,
                              p_message text, p_data jsonb, p_deployment uuid, p_trace text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_head chain;
    v_at   timestamptz;
    v_line text;
    v_xid  xid8;
BEGIN
    INSERT INTO chain (name) VALUES (p_chain) ON CONFLICT DO NOTHING;
    SELECT * INTO v_head FROM chain WHERE name = p_chain FOR NO KEY UPDATE;
    v_at := clock_timestamp();
    v_xid := greatest(v_head.xid, pg_current_xact_id());
    v_line := json_build_object(
        'seq', v_head.length + 1, 'prev', v_head.head, 'chain', p_chain,
        'at', to_char(v_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'actor', p_actor, 'from', p_from, 'action', p_action, 'subject', p_subject,
        'message', p_message, 'data', p_data)::text;
    INSERT INTO record (chain, seq, line, action, deployment_id, at, xid)
    VALUES (p_chain, v_head.length + 1, v_line, p_action, p_deployment, v_at, v_xid);
    UPDATE chain SET length = v_head.length + 1, head = encode(sha256(convert_to(v_line, 'UTF8')), 'hex'), xid = v_xid
    WHERE name = p_chain;
    RETURN v_head.length + 1;
END $$;
COMMENT ON FUNCTION record_append IS 'Appends one record. Call it last in a transaction, chains in name order: the head row serialises.';
