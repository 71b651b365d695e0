-- What something that ran found about an item of a release.
-- param:  id uuid
-- param:  release_id uuid
-- param:  environment_id uuid
-- param:  item text
-- param:  state text
-- param:  source text
-- param:  url text
-- param:  summary text
-- param:  content_digest text
-- param:  report_id uuid
-- param:  observed_at timestamptz
-- param:  expires_at timestamptz
-- param:  by jsonb
INSERT INTO item_fact (id, kind, release_id, environment_id, item, state, evidence, source, url, summary, content_digest,
                       report_id, observed_at, expires_at, by)
VALUES ($1, 'before', $2, $3, $4, $5, true, $6, $7, $8, $9, $10, $11, $12, $13);
