-- What the sign-offs of a deployment come to: stored as its acceptance, where one is asked for; with the final approval
-- the previous version is released for clean-up, once.
-- param:  deployment_id uuid
-- column: was text
-- column: acceptance text
-- column: awaits_final bool
WITH d AS (
    SELECT d.id, d.acceptance, gate_spec(d.environment_id) AS spec, signoff_bound(d.release_id, d.environment_id, d.id) AS bound
    FROM deployment d WHERE d.id = $1
), valid AS (
    SELECT s.role, s.decision FROM signoff s, d
    WHERE s.deployment_id = d.id AND s.withdrawn_at IS NULL
      AND s.content_digest = d.bound ->> 'content_digest' AND s.checklist = d.bound ->> 'checklist'
      AND (s.decision = 'reject' OR NOT EXISTS (SELECT FROM jsonb_array_elements(d.bound -> 'authors') a
                                                WHERE a ->> 'subject' = s.subject AND a ->> 'issuer' = s.issuer))
), missing AS (
    SELECT a ->> 'role' AS role FROM d, jsonb_array_elements(coalesce(d.spec -> 'acceptance', '[]')) a
    WHERE (SELECT count(*) FROM valid v WHERE v.role = a ->> 'role' AND v.decision = 'approve') < coalesce((a ->> 'count')::int, 1)
), outcome AS (
    SELECT d.id, d.acceptance AS was,
           CASE WHEN d.acceptance = 'not-required' THEN d.acceptance
                WHEN EXISTS (SELECT FROM valid WHERE decision = 'reject') THEN 'rejected'
                WHEN EXISTS (SELECT FROM missing) THEN 'pending'
                ELSE 'accepted' END AS acceptance,
           NOT EXISTS (SELECT FROM valid WHERE decision = 'reject')
           AND NOT EXISTS (SELECT FROM missing WHERE role = 'final') AS final
    FROM d
), stored AS (
    UPDATE deployment d SET acceptance = o.acceptance FROM outcome o WHERE d.id = o.id AND o.acceptance <> o.was
), released AS (
    UPDATE cleanup c SET awaits_final = false FROM outcome o WHERE c.deployment_id = o.id AND c.awaits_final AND o.final
)
SELECT o.was, o.acceptance,
       NOT o.final AND EXISTS (SELECT FROM cleanup c WHERE c.deployment_id = o.id AND c.awaits_final) AS awaits_final
FROM outcome o;
