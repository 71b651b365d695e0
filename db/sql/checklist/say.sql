-- What a person says about an item, about the release as it is.  It counts before everything observed until now, also
-- before evidence from a clock that is ahead of ours.
-- param:  id uuid
-- param:  kind text
-- param:  environment_id uuid
-- param:  release_id uuid
-- param:  deployment_id uuid
-- param:  item text
-- param:  state text
-- param:  url text
-- param:  summary text
-- param:  note text
-- param:  person text
-- param:  reason text
-- param:  role text
-- param:  expires_at timestamptz
-- param:  by jsonb
INSERT INTO item_fact (id, kind, environment_id, release_id, deployment_id, item, state, url, summary, note, person, reason,
                       role, expires_at, by, content_digest, observed_at)
SELECT $1, $2, $3, r.id, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, r.content_digest,
       greatest(clock_timestamp(), (SELECT max(f.observed_at) FROM item_fact f WHERE f.release_id = r.id AND f.kind = $2 AND f.item = $6))
FROM release r WHERE r.id = $4;
