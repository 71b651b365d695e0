-- What deployments changed of flags, and whether it was taken back.

CREATE TABLE deployment_flag (
    deployment_id   uuid NOT NULL REFERENCES deployment,
    environment_id  uuid NOT NULL,
    flag            text NOT NULL,
    at              text NOT NULL CHECK (at IN ('before', 'after-switch', 'after-validate')),
    state           text NOT NULL CHECK (state IN ('applied', 'restored', 'left')),
    due             boolean NOT NULL DEFAULT false CHECK (NOT due OR state = 'applied'),
    before          jsonb,
    before_revision bigint NOT NULL,
    revision        bigint NOT NULL,
    note            text,
    PRIMARY KEY (deployment_id, flag, at)
);
COMMENT ON TABLE deployment_flag IS 'The changes of flags that deployments made, one row for each that their release names, in the order of revision.';
COMMENT ON COLUMN deployment_flag.environment_id IS 'Of the deployment; without a reference, as the deployment''s own.';
COMMENT ON COLUMN deployment_flag.state IS 'left: it was not made, or not taken back; note says why.';
COMMENT ON COLUMN deployment_flag.due IS 'It is to be taken back: decided in the transaction that takes the deployment back.';
COMMENT ON COLUMN deployment_flag.before IS 'What the flag was in the environment; null: nobody had said anything.';
COMMENT ON COLUMN deployment_flag.before_revision IS 'Of what it was; 0: nobody had said anything.';
COMMENT ON COLUMN deployment_flag.revision IS 'Of the change: a flag with another was changed by somebody since.';
CREATE INDEX deployment_flag_applied ON deployment_flag (environment_id) WHERE state = 'applied';
CREATE INDEX deployment_flag_due ON deployment_flag (environment_id) WHERE due;

INSERT INTO table_grant (name, app, auditor) VALUES
    ('deployment_flag', 'SELECT, INSERT, UPDATE', 'SELECT');

CREATE INDEX flag_environment_guarded ON flag_environment (environment_id)
    WHERE enabled AND spec ->> 'requires_release' IS NOT NULL;

CREATE FUNCTION serving_version(p_environment uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT d.version FROM deployment d
    WHERE d.environment_id = p_environment
      AND (d.state = 'succeeded' OR d.state IN ('running', 'paused', 'stuck') AND (
               d.kind = 'rollback'
               OR EXISTS (SELECT 1 FROM intent i WHERE i.deployment_id = d.id AND i.job = d.kind AND i.purpose = 'switch' AND i.result = 'done')))
    ORDER BY d.started_at DESC LIMIT 1
$$;
COMMENT ON FUNCTION serving_version IS 'What serves as far as rows know: of the last deployment that switched or succeeded, or the rollback that runs; null: nothing was deployed.';
