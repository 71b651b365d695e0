-- Feature flags: what they are, what they are in each environment, segments, and every change that was made.

CREATE TABLE flag_head (
    app      text PRIMARY KEY,
    revision bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE flag_head IS 'Counts the changes of an app''s flags and segments; the row is locked first by every transaction that makes one, so that what refers to each other is checked without a race. Never deleted: a name made again goes on, no revision means two things.';

CREATE TABLE flag (
    app        text NOT NULL REFERENCES app ON DELETE CASCADE,
    name       text NOT NULL,
    spec       jsonb NOT NULL,
    revision   bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (app, name)
);
COMMENT ON TABLE flag IS 'Flags of an app, the same in all of its environments.';
COMMENT ON COLUMN flag.spec IS 'The body of PUT …/flags/{flag}: description, type, value_type, impression_data, variants, dependencies, stale_after?.';
COMMENT ON COLUMN flag.revision IS 'Of the change that made it what it is; the ETag.';
CREATE INDEX flag_dependencies ON flag USING gin ((spec -> 'dependencies') jsonb_path_ops);

CREATE TABLE flag_environment (
    environment_id uuid NOT NULL REFERENCES environment ON DELETE CASCADE,
    app            text NOT NULL,
    flag           text NOT NULL,
    enabled        boolean NOT NULL DEFAULT false,
    killed         boolean NOT NULL DEFAULT false,
    spec           jsonb NOT NULL DEFAULT '{"strategies": [], "default_variant": null, "requires_release": null}',
    revision       bigint NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment_id, flag),
    FOREIGN KEY (app, flag) REFERENCES flag ON DELETE CASCADE
);
COMMENT ON TABLE flag_environment IS 'What a flag is in an environment. No row: nobody said anything yet, it is off.';
COMMENT ON COLUMN flag_environment.killed IS 'The kill switch: whoever serves flags looks at it first, nothing overrides it, and nothing but unkill ends it.';
COMMENT ON COLUMN flag_environment.spec IS '{strategies, default_variant, requires_release} of PUT …/environments/{env}/flags/{flag}.';
CREATE INDEX flag_environment_of_flag ON flag_environment (app, flag);

CREATE TABLE segment (
    app        text NOT NULL REFERENCES app ON DELETE CASCADE,
    name       text NOT NULL,
    spec       jsonb NOT NULL,
    revision   bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (app, name)
);
COMMENT ON TABLE segment IS 'Constraints under a name, that strategies of an app''s flags share.';
COMMENT ON COLUMN segment.spec IS '{description, constraints}.';

CREATE TABLE flag_change (
    app         text NOT NULL,
    revision    bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('flag', 'environment', 'segment')),
    name        text NOT NULL,
    environment text NOT NULL CHECK ((environment <> '') = (kind = 'environment')),
    action      text NOT NULL,
    source      text NOT NULL,
    by          jsonb NOT NULL,
    reason      text,
    before      bigint,
    after       jsonb,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (app, revision, kind, name, environment)
);
COMMENT ON TABLE flag_change IS 'The history of flags and segments. Outlives what it is about, so that it can be restored.';
COMMENT ON COLUMN flag_change.kind IS 'flag: its definition; environment: what it is in one; segment.';
COMMENT ON COLUMN flag_change.environment IS 'Empty where all environments of the app are concerned.';
COMMENT ON COLUMN flag_change.source IS 'How it came: api, restore, promote, schedule.';
COMMENT ON COLUMN flag_change.before IS 'The revision that it replaced; null: there was nothing.';
COMMENT ON COLUMN flag_change.after IS 'What it is since then; null: deleted.';
CREATE INDEX flag_change_of ON flag_change (app, kind, name, environment, revision);
CREATE INDEX flag_change_in ON flag_change (app, environment, revision);
CREATE TRIGGER flag_change_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON flag_change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the history of flags only grows');
CREATE TRIGGER flag_head_stays BEFORE DELETE OR TRUNCATE ON flag_head
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('revisions of flags go on');

CREATE FUNCTION flag_stale(p_spec jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce((p_spec ->> 'stale_after')::timestamptz <= clock_timestamp(), false)
$$;
COMMENT ON FUNCTION flag_stale IS 'Whether a flag should have been removed by now.';

CREATE FUNCTION flag_revision(p_app text, p_environment text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT greatest((SELECT coalesce(max(c.revision), 0) FROM flag_change c WHERE c.app = p_app AND c.environment = ''),
                    (SELECT coalesce(max(c.revision), 0) FROM flag_change c WHERE c.app = p_app AND c.environment = p_environment))
$$;
COMMENT ON FUNCTION flag_revision IS 'The last change of what an environment serves; 0: there never was one.';

INSERT INTO table_grant (name, app, auditor) VALUES
    ('flag_head',        'SELECT, INSERT, UPDATE', 'SELECT'),
    ('flag',             'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
    ('flag_environment', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
    ('segment',          'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
    ('flag_change',      'SELECT, INSERT', 'SELECT');
