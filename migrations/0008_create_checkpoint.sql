-- Signed checkpoints of the record chains, and how far they were sent.

CREATE TABLE checkpoint (
    number  bigint PRIMARY KEY CHECK (number > 0),
    made_at timestamptz NOT NULL,
    records bigint NOT NULL,
    chains  bigint NOT NULL,
    hash    text NOT NULL,
    note    text NOT NULL
);
COMMENT ON TABLE checkpoint IS 'What the record chains were at a moment, signed (docs/audit.md). Each names the one before; exactly one server makes each.';
COMMENT ON COLUMN checkpoint.records IS 'Of all chains together.';
COMMENT ON COLUMN checkpoint.hash IS 'Base64 SHA-256 of the note''s text, which the next one names.';
COMMENT ON COLUMN checkpoint.note IS 'The signed note, byte for byte as it is written to files and sent.';

CREATE FUNCTION checkpoint_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'checkpoints are never changed or removed' USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION checkpoint_stays IS 'Refuses whoever tries, the owner too.';
CREATE TRIGGER checkpoint_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION checkpoint_stays();

CREATE TABLE checkpoint_delivery (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    sent    bigint NOT NULL DEFAULT 0,
    tries   int NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    error   text
);
COMMENT ON TABLE checkpoint_delivery IS 'How far checkpoints were sent to SLUICE_CHECKPOINT_URL: one row.';
COMMENT ON COLUMN checkpoint_delivery.sent IS 'The number of the last one that the receiver took.';
COMMENT ON COLUMN checkpoint_delivery.tries IS 'Of the one after it that failed.';
COMMENT ON COLUMN checkpoint_delivery.next_at IS 'Whoever sends moves it on first: until then nobody else does.';
COMMENT ON COLUMN checkpoint_delivery.error IS 'Why the last try failed; null when it did not.';
INSERT INTO checkpoint_delivery DEFAULT VALUES;
