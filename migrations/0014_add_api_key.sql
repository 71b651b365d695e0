-- API keys: keys whose text is sent as it is, of which only a digest is kept; keys of one environment, for evaluating flags.

ALTER TABLE key
    DROP CONSTRAINT key_kind_check,
    ADD CONSTRAINT key_kind_check CHECK (kind IN ('api', 'signature')),
    ADD COLUMN environment text,
    ADD COLUMN last_used_at timestamptz,
    ADD CONSTRAINT key_environment_check CHECK (
        (environment IS NOT NULL) = ('flags:client' = ANY (roles))
        AND (environment IS NULL
             OR kind = 'api' AND principal_kind = 'service' AND roles = '{flags:client}'
                AND cardinality(apps) = 1 AND apps[1] <> '*'));
COMMENT ON TABLE key IS 'Who calls with a key: kind signature signs requests, kind api sends its key. A deleted key has no row; the record chain remembers it.';
COMMENT ON COLUMN key.id IS 'The keyid of its signatures, the ID of slk_ID_SECRET, and the subject of its principal.';
COMMENT ON COLUMN key.environment IS 'Of a key that evaluates flags: the one environment, of its one app, that it reaches.';
COMMENT ON COLUMN key.last_used_at IS 'Written every few minutes, from what servers keep in memory: a key may have been used since.';

ALTER TABLE key_secret
    ALTER COLUMN kek DROP NOT NULL,
    ALTER COLUMN sealed DROP NOT NULL,
    ADD COLUMN digest bytea CHECK (octet_length(digest) = 32),
    ADD CONSTRAINT key_secret_check CHECK ((kek IS NULL) = (sealed IS NULL) AND (sealed IS NULL) <> (digest IS NULL));
COMMENT ON COLUMN key_secret.sealed IS 'Of kind signature, whose secret is needed to verify. AES-256-GCM: nonce, ciphertext, tag; associated data: key_id/slot.';
COMMENT ON COLUMN key_secret.digest IS 'Of kind api: SHA-256 of the whole text, slk_ID_SECRET. Its secret is 256 random bits, so that no slow hash is needed.';
