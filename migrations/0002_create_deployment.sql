-- Deployments, their journal, and the lease that fences who may act.

CREATE TABLE deployment (
    id             uuid PRIMARY KEY,
    environment_id uuid NOT NULL,
    app            text NOT NULL,
    environment    text NOT NULL,
    release_id     uuid REFERENCES release,
    version        text NOT NULL,
    strategy       text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('deploy', 'rollback', 'traffic')),
    state          text NOT NULL CHECK (state IN ('scheduled', 'queued', 'blocked', 'running', 'paused', 'undoing',
                                                  'stuck', 'succeeded', 'failed', 'aborted', 'rolled_back', 'canceled')),
    reason         text,
    requested_by   jsonb NOT NULL,
    plan           jsonb NOT NULL,
    trace          text CHECK (trace ~ '^[0-9a-f]{32}-0[01]$'),
    job            text NOT NULL DEFAULT 'deploy' CHECK (job IN ('deploy', 'undo')),
    current_step   text,
    pause_requested boolean NOT NULL DEFAULT false,
    failure        jsonb,
    confirmed_at   timestamptz,
    acceptance     text NOT NULL DEFAULT 'not-required',
    rolled_back_by uuid,
    rollback_of    uuid,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at     timestamptz,
    ended_at       timestamptz
);
COMMENT ON TABLE deployment IS 'One run of one release into one environment: a job with steps. Outlives its environment''s row.';
COMMENT ON COLUMN deployment.plan IS 'Fixed when the deployment becomes active: the environment''s spec, target and source color, image, manifests; resolve adds what it found. Absolute, never relative.';
COMMENT ON COLUMN deployment.trace IS 'W3C Trace Context of the request that asked for it, TRACE-ID-FLAGS: calls to Kubernetes and records go on with it.';
COMMENT ON COLUMN deployment.job IS 'deploy, or undo once it failed or was aborted: a job has its own seizures.';
COMMENT ON COLUMN deployment.release_id IS 'Null where a rollback returns to a version that no release describes: it ran before Sluice came.';
COMMENT ON COLUMN deployment.pause_requested IS 'It stops at the next step boundary; paused without it waits for promote.';
COMMENT ON COLUMN deployment.failure IS '{code, detail, hint}; its code aborted makes the final state aborted. Of one stuck in undo also cause: why it is taken back.';
COMMENT ON COLUMN deployment.confirmed_at IS 'When the write of undo to the Service was seen: an abort is answered only after it.';
CREATE UNIQUE INDEX deployment_one_active ON deployment (environment_id)
    WHERE state IN ('running', 'paused', 'undoing', 'stuck');
COMMENT ON INDEX deployment_one_active IS 'Law 1: one active deployment per environment.';
CREATE INDEX deployment_by_environment ON deployment (environment_id, id DESC);
CREATE INDEX deployment_by_app ON deployment (app, environment, id DESC);
CREATE INDEX deployment_carried ON deployment (environment_id) WHERE state IN ('running', 'undoing');

CREATE FUNCTION deployment_final_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('succeeded', 'failed', 'aborted', 'rolled_back', 'canceled') AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'deployment % is %: a final state is never left', OLD.id, OLD.state;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deployment_final_is_final BEFORE UPDATE ON deployment
    FOR EACH ROW EXECUTE FUNCTION deployment_final_is_final();

CREATE TABLE step (
    deployment_id uuid NOT NULL REFERENCES deployment,
    ordinal       int NOT NULL,
    name          text NOT NULL,
    title         text NOT NULL,
    state         text NOT NULL DEFAULT 'pending'
                  CHECK (state IN ('pending', 'running', 'waiting', 'done', 'failed', 'undone', 'skipped')),
    attempt       int NOT NULL DEFAULT 0,
    started_at    timestamptz,
    ended_at      timestamptz,
    detail        text,
    PRIMARY KEY (deployment_id, ordinal)
);
COMMENT ON TABLE step IS 'The steps of a deployment, as people see them.';

CREATE TABLE intent (
    op               uuid PRIMARY KEY,
    number           bigint GENERATED ALWAYS AS IDENTITY,
    deployment_id    uuid NOT NULL REFERENCES deployment,
    job              text NOT NULL,
    step             text NOT NULL,
    purpose          text NOT NULL,
    kind             text NOT NULL,
    name             text NOT NULL,
    write            jsonb NOT NULL,
    epoch            bigint NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    result           text CHECK (result IN ('done', 'refused', 'void')),
    resource_version text,
    result_at        timestamptz
);
COMMENT ON TABLE intent IS 'The journal: one row per intended write to the cluster, committed before it is sent.';
COMMENT ON COLUMN intent.op IS 'Also the annotation sluice.dev/op on the object: what tells that a write with a lost reply took effect.';
COMMENT ON COLUMN intent.purpose IS 'What the write is for within its step; (deployment, job, step, purpose) is one intended effect, taken at most once.';
COMMENT ON COLUMN intent.resource_version IS 'Of the object after the write: only what is observed later counts.';
CREATE UNIQUE INDEX intent_once ON intent (deployment_id, job, step, purpose) WHERE result IS DISTINCT FROM 'void';
CREATE INDEX intent_of_deployment ON intent (deployment_id, number);

CREATE TABLE environment_lease (
    environment_id uuid PRIMARY KEY REFERENCES environment ON DELETE CASCADE,
    epoch          bigint NOT NULL DEFAULT 0,
    holder         bigint,
    until          timestamptz
);
COMMENT ON TABLE environment_lease IS 'The time-limited right to act on an environment. Taking it increments the epoch, which fences stale holders.';
COMMENT ON COLUMN environment_lease.holder IS 'Number of the replica that holds it: its advisory lock (1397510483, holder) is held while it lives.';

CREATE TABLE cleanup (
    environment_id uuid PRIMARY KEY REFERENCES environment ON DELETE CASCADE,
    deployment_id  uuid NOT NULL REFERENCES deployment,
    color          text NOT NULL,
    workload       text NOT NULL,
    uid            text NOT NULL,
    template_hash  text NOT NULL,
    due_at         timestamptz NOT NULL
);
COMMENT ON TABLE cleanup IS 'Keep previous: what is scaled down when its time has come, by an absolute target.';
COMMENT ON COLUMN cleanup.template_hash IS 'Of the template that it must hold; empty where a deployment of ours that was taken back has written another.';
COMMENT ON COLUMN cleanup.deployment_id IS 'The deployment that left it; its journal holds the clean-up''s intents.';

CREATE SEQUENCE replica_number MAXVALUE 2147483647 CYCLE;
COMMENT ON SEQUENCE replica_number IS 'Numbers of server processes, for their advisory locks.';
