-- Keys that sign requests, and the nonces of signed requests that changed something.

CREATE TABLE key (
    id             uuid PRIMARY KEY,
    name           text NOT NULL,
    kind           text NOT NULL CHECK (kind = 'signature'),
    principal_kind text NOT NULL CHECK (principal_kind IN ('user', 'ci', 'bot', 'service')),
    roles          text[] NOT NULL,
    apps           text[] NOT NULL,
    created_by     jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at     timestamptz
);
COMMENT ON TABLE key IS 'Who may sign requests. A deleted key has no row; the record chain remembers it.';
COMMENT ON COLUMN key.id IS 'The keyid of its signatures, and the subject of its principal.';
COMMENT ON COLUMN key.apps IS 'What it reaches: names of apps, or * for all.';

CREATE TABLE key_secret (
    key_id     uuid NOT NULL REFERENCES key ON DELETE CASCADE,
    slot       int NOT NULL CHECK (slot > 0),
    kek        text NOT NULL,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    PRIMARY KEY (key_id, slot)
);
COMMENT ON TABLE key_secret IS 'The secrets of a key: one, or two while they are exchanged. Counted up, never used again.';
COMMENT ON COLUMN key_secret.kek IS 'Names the key-encryption key (SLUICE_KEY_ENCRYPTION_KEY) that sealed it, without telling it.';
COMMENT ON COLUMN key_secret.sealed IS 'AES-256-GCM: nonce, ciphertext, tag; associated data: key_id/slot.';

CREATE TABLE nonce (
    key_id  text NOT NULL,
    nonce   text NOT NULL,
    created bigint NOT NULL,
    PRIMARY KEY (key_id, nonce, created)
) PARTITION BY RANGE (created);
COMMENT ON TABLE nonce IS 'Signed requests that changed something, so that none is taken twice. Logged: a crash forgets none.';
COMMENT ON COLUMN nonce.created IS 'The signature''s own time, seconds since 1970: a replay carries it unchanged, so that it lands in the same partition.';

CREATE FUNCTION nonce_partitions() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET lock_timeout = '200ms' AS $$
DECLARE
    v_hour bigint := floor(extract(epoch FROM clock_timestamp()) / 3600);
    v_old  regclass;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('nonce_partitions'));
    FOR h IN v_hour - 1 .. v_hour + 6 LOOP
        CONTINUE WHEN to_regclass(format('nonce_%s', h)) IS NOT NULL;
        -- attached, not made in place: that would wait for everybody who reads or writes nonces
        EXECUTE format('CREATE TABLE nonce_%s (LIKE nonce INCLUDING ALL)', h);
        EXECUTE format('ALTER TABLE nonce ATTACH PARTITION nonce_%s FOR VALUES FROM (%s) TO (%s)',
                       h, h * 3600, (h + 1) * 3600);
    END LOOP;
    FOR v_old IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'nonce'::regclass LOOP
        CONTINUE WHEN substring(v_old::text FROM '[0-9]+$')::bigint >= v_hour - 1;
        BEGIN
            EXECUTE format('DROP TABLE %s', v_old);
        EXCEPTION WHEN lock_not_available THEN
            NULL; -- somebody holds it (pg_dump): next time
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION nonce_partitions IS 'Makes the partitions of the hours to come and drops those whose nonces no window reaches any more. Any number of servers may call it at once; runs as the owner.';
DO $$ BEGIN
    -- objects of the caller's own never stand in for ours
    EXECUTE format('ALTER FUNCTION nonce_partitions SET search_path = %I, pg_temp', current_schema());
END $$;

SELECT nonce_partitions();
