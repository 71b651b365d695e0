-- Takes a release out of use; the first yank stays.  No row when it was yanked already.
-- param:  app text
-- param:  version_key text
-- param:  reason text
-- column: id uuid
UPDATE release SET yanked_at = clock_timestamp(), yank_reason = $3
WHERE app = $1 AND version_key = $2 AND yanked_at IS NULL
RETURNING id;
