-- Everything that the gate of a version in an environment is decided on (server/domain/gate.h has the form).
-- No row: no such environment.
-- param:  environment_id uuid
-- param:  version_key text
-- param:  deployment_id uuid
-- param:  requested_by jsonb
-- param:  asked_by jsonb
-- column: facts jsonb
-- column: now timestamptz
-- column: release_id uuid
-- column: app text
-- column: environment text
-- column: version text
WITH e AS (
    SELECT e.id, e.app, e.name, coalesce(g.spec, '{}') AS spec -- gate_spec(e.id), whose call costs a tenth of all this
    FROM environment e LEFT JOIN environment_gate g ON g.environment_id = e.id WHERE e.id = $1
), r AS (
    SELECT r.id, r.version, r.content_digest, r.created_by, r.yanked_at FROM release r, e
    WHERE r.app = e.app AND r.version_key = $2
), c AS (
    SELECT c.template || '@' || c.version AS name, c.items
    FROM e LEFT JOIN r ON true, LATERAL checklist_filled('before', e.id, r.id, NULL) c
), z AS ( -- freezes that stand
    SELECT f FROM e, change_freeze f
    WHERE e.spec -> 'freeze' IS DISTINCT FROM 'false' AND f.ended_at IS NULL AND (f.app IS NULL OR f.app = e.app)
      AND (f.environment IS NULL OR f.environment = e.name) AND (f.weekly IS NOT NULL OR f.ends_at > clock_timestamp())
), k AS ( -- weekly ones are looked at for five weeks, and for five more than any other that begins in these
    SELECT interval '35 days' + coalesce(max((z.f).ends_at) FILTER (WHERE (z.f).starts_at < clock_timestamp() + interval '35 days'),
                                         clock_timestamp()) AS until FROM z
)
SELECT jsonb_build_object(
    'environment', jsonb_build_object('id', e.id, 'app', e.app, 'name', e.name),
    'gates', e.spec,
    'version', $2::text,
    'release', (SELECT jsonb_build_object('id', r.id, 'version', r.version, 'content_digest', r.content_digest,
                                          'created_by', r.created_by, 'yanked', r.yanked_at IS NOT NULL) FROM r),
    'requested_by', coalesce($4, (SELECT d.requested_by FROM deployment d WHERE d.id = $3),
                             (SELECT d.requested_by FROM deployment d, r -- whoever waits for these gates
                              WHERE $5 IS NOT NULL AND d.environment_id = e.id AND d.release_id = r.id
                                AND d.state IN ('scheduled', 'queued', 'blocked') ORDER BY d.id LIMIT 1), $5),
    'active', (SELECT d.id FROM deployment d
               WHERE d.environment_id = e.id AND d.state IN ('running', 'paused', 'undoing', 'stuck')
                 AND d.id IS DISTINCT FROM $3),
    'checklist', (SELECT jsonb_build_object('name', c.name, 'items', c.items) FROM c),
    'signoffs', (SELECT jsonb_agg(jsonb_build_object(
            'id', s.id, 'role', s.role, 'decision', s.decision, 'issuer', s.issuer, 'subject', s.subject,
            'content_digest', s.content_digest, 'checklist', s.checklist, 'note', s.note) ORDER BY s.created_at)
        FROM signoff s, r
        WHERE s.release_id = r.id AND s.environment_id = e.id AND s.deployment_id IS NULL AND s.withdrawn_at IS NULL),
    'freezes', (SELECT jsonb_agg(jsonb_build_object(
            'id', (z.f).id, 'reason', (z.f).reason, 'app', (z.f).app, 'environment', (z.f).environment,
            'let_running_finish', (z.f).let_running_finish, 'by', (z.f).created_by ->> 'subject', 'windows',
            (SELECT jsonb_agg(jsonb_build_array((extract(epoch FROM lower(w)) * 1000000)::bigint,
                                                (extract(epoch FROM upper(w)) * 1000000)::bigint))
             FROM unnest(freeze_windows(z.f, clock_timestamp() - interval '1 minute',
                                        CASE WHEN (z.f).weekly IS NULL THEN 'infinity' ELSE k.until END)) w),
            'known_until_us', CASE WHEN (z.f).weekly IS NOT NULL THEN (extract(epoch FROM k.until) * 1000000)::bigint END))
        FROM z, k),
    'break_glass_us', (SELECT (extract(epoch FROM max(b.until)) * 1000000)::bigint FROM break_glass b
                       WHERE b.environment_id = e.id AND b.until > clock_timestamp()),
    'previous', (SELECT jsonb_build_object('environment', p.name, 'deployment', d.id)
                 FROM environment p JOIN deployment d ON d.environment_id = p.id, r
                 WHERE p.app = e.app AND p.name = e.spec ->> 'previous_environment'
                   AND d.release_id = r.id AND d.kind = 'deploy' AND d.state = 'succeeded' AND d.rolled_back_by IS NULL
                   AND d.acceptance <> 'rejected'
                 ORDER BY d.id DESC LIMIT 1),
    'unaccepted', CASE WHEN e.spec -> 'acceptance_blocks_next' = 'true' THEN -- of what serves: the last that succeeded
        (SELECT jsonb_build_object('deployment', l.id, 'version', l.version, 'acceptance', l.acceptance,
                                   'rejected_by', s.rejected_by, 'missing', s.missing)
         FROM (SELECT d.* FROM deployment d
               WHERE d.environment_id = e.id AND d.state = 'succeeded' AND d.id IS DISTINCT FROM $3
               ORDER BY d.started_at DESC LIMIT 1) l, LATERAL acceptance_standing(l.id) s
         WHERE l.acceptance IN ('pending', 'rejected') AND l.rolled_back_by IS NULL) END
    ) AS facts, clock_timestamp() AS now,
    (SELECT r.id FROM r) AS release_id, e.app, e.name AS environment, coalesce((SELECT r.version FROM r), $2) AS version
FROM e;
