-- Evidence of a release, newest first: of one item or of all, of what counts in one environment or of all.
-- param:  release_id uuid
-- param:  item text
-- param:  environment_id uuid
-- param:  before bigint
-- param:  limit bigint
-- column: id uuid
-- column: number bigint
-- column: item text
-- column: environment text
-- column: state text
-- column: source text
-- column: url text
-- column: summary text
-- column: content_digest text
-- column: report_id uuid
-- column: observed_at timestamptz
-- column: expires_at timestamptz
-- column: by jsonb
SELECT f.id, f.number, f.item, coalesce(e.name, f.environment_id::text) AS environment, f.state, f.source, f.url, f.summary,
       f.content_digest, f.report_id, f.observed_at, f.expires_at, f.by
FROM item_fact f LEFT JOIN environment e ON e.id = f.environment_id
WHERE f.kind = 'before' AND f.evidence AND f.release_id = $1
  AND ($2::text IS NULL OR f.item = $2)
  AND ($3::uuid IS NULL OR f.environment_id IS NULL OR f.environment_id = $3)
  AND ($4::bigint IS NULL OR f.number < $4)
ORDER BY f.number DESC
LIMIT $5;
