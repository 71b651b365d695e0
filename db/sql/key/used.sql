-- When keys were last used, as one server saw it.  A row that somebody else has locked is left for the next time: no two
-- servers wait for each other.
-- param:  ids uuid[]
-- param:  times timestamptz[]
UPDATE key SET last_used_at = used.at
FROM (SELECT k.id, u.at
      FROM key k JOIN unnest($1, $2) AS u (id, at) ON u.id = k.id
      WHERE k.last_used_at IS NULL OR k.last_used_at < u.at
      FOR NO KEY UPDATE OF k SKIP LOCKED) used
WHERE key.id = used.id;
