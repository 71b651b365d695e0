-- What the last write of Sluice left of each shared object, to tell what somebody else changed since.

CREATE TABLE left_behind (
    environment_id   uuid NOT NULL REFERENCES environment ON DELETE CASCADE,
    kind             text NOT NULL,
    name             text NOT NULL,
    deployment_id    uuid NOT NULL REFERENCES deployment,
    comparable       text NOT NULL,
    resource_version text NOT NULL,
    at               timestamptz NOT NULL,
    PRIMARY KEY (environment_id, kind, name)
);
COMMENT ON TABLE left_behind IS 'One row an object: production Service and both workloads, as the last write to them left their spec.';
COMMENT ON COLUMN left_behind.comparable IS '{spec, uid} with sorted keys; values of environment variables are digests (rollout/change.h).';
COMMENT ON COLUMN left_behind.resource_version IS 'Of the object after that write: what was seen before it is no drift.';
COMMENT ON COLUMN left_behind.deployment_id IS 'The deployment whose write it was.';

CREATE FUNCTION left_store(p_environment uuid, p_deployment uuid, p_left jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO left_behind (environment_id, kind, name, deployment_id, comparable, resource_version, at)
    SELECT p_environment, r->>'kind', r->>'name', p_deployment, r->>'comparable', r->>'resource_version',
           clock_timestamp()
    FROM jsonb_array_elements(p_left) r
    ON CONFLICT (environment_id, kind, name)
    DO UPDATE SET deployment_id = excluded.deployment_id, comparable = excluded.comparable,
                  resource_version = excluded.resource_version, at = excluded.at
$$;
COMMENT ON FUNCTION left_store IS 'Called by tick_commit with what its writes left.';
