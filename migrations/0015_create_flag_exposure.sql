-- What flag clients report: who was given what, by the hour.

CREATE TABLE flag_exposure (
    environment_id uuid NOT NULL REFERENCES environment ON DELETE CASCADE,
    flag           text NOT NULL,
    hour           timestamptz NOT NULL,
    app_name       text NOT NULL,
    variant        text NOT NULL,
    yes            bigint NOT NULL CHECK (yes >= 0),
    no             bigint NOT NULL CHECK (no >= 0),
    last_at        timestamptz NOT NULL,
    PRIMARY KEY (environment_id, flag, hour, app_name, variant)
);
COMMENT ON TABLE flag_exposure IS 'How often clients evaluated a flag, as they say themselves, summed up by the hour. Not part of the record: it may be lost by a crash, and is forgotten after 90 days.';
COMMENT ON COLUMN flag_exposure.flag IS 'No reference: a flag may be deleted while its clients still ask.';
COMMENT ON COLUMN flag_exposure.app_name IS 'What the client calls itself.';
COMMENT ON COLUMN flag_exposure.variant IS 'Empty: the flag itself, yes and no of it; else a variant, and yes counts who got it.';
COMMENT ON COLUMN flag_exposure.last_at IS 'When it was last reported.';
CREATE INDEX flag_exposure_hour ON flag_exposure USING brin (hour);

INSERT INTO table_grant (name, app, auditor) VALUES ('flag_exposure', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT');
