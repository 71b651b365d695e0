-- Idempotency keys of POSTs that create.

CREATE TABLE idempotency (
    issuer      text NOT NULL,
    subject     text NOT NULL,
    key         text NOT NULL,
    fingerprint text NOT NULL,
    status      int CHECK (status BETWEEN 200 AND 299),
    body        text,
    location    text,
    etag        text,
    expires_at  timestamptz NOT NULL DEFAULT clock_timestamp() + interval '24 hours',
    PRIMARY KEY (issuer, subject, key)
);
COMMENT ON TABLE idempotency IS 'Answers that are given again. A row is inserted first in the transaction that creates, and gets its answer last: others with the key wait for it, and a refusal leaves no trace.';
COMMENT ON COLUMN idempotency.fingerprint IS 'SHA-256 over method, path and raw body: the same key with another is refused.';
COMMENT ON COLUMN idempotency.status IS 'The answer with body, location and etag, byte for byte; null while what the request began (location) is still under way.';
CREATE INDEX idempotency_expires ON idempotency (expires_at);
