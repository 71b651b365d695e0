-- Partitions of the hours to come; drops those that are over.
-- column: nonce_partitions void
SELECT nonce_partitions();
