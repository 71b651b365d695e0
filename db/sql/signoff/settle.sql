-- What the sign-offs of a deployment come to, or those of each that is pending in an environment: stored as its acceptance,
-- where one is asked for; with the final approval the previous version is released for clean-up, once.
-- param:  deployment_id uuid
-- param:  environment_id uuid
-- column: id uuid
-- column: version text
-- column: was text
-- column: acceptance text
-- column: awaits_final bool
WITH outcome AS (
    SELECT d.id, d.version, d.acceptance AS was,
           CASE WHEN d.acceptance = 'not-required' OR NOT s.asked THEN 'not-required'
                WHEN s.rejected_by <> '{}' THEN 'rejected'
                WHEN s.missing <> '{}' THEN 'pending'
                ELSE 'accepted' END AS acceptance,
           s.rejected_by = '{}' AND 'final' <> ALL (s.missing) AS final
    FROM deployment d, LATERAL acceptance_standing(d.id) s
    WHERE d.id = $1 OR $1 IS NULL AND d.environment_id = $2 AND d.state = 'succeeded' AND d.acceptance = 'pending'
), stored AS (
    UPDATE deployment d SET acceptance = o.acceptance FROM outcome o WHERE d.id = o.id AND o.acceptance <> o.was
), released AS (
    UPDATE cleanup c SET awaits_final = false FROM outcome o WHERE c.deployment_id = o.id AND c.awaits_final AND o.final
)
SELECT o.id, o.version, o.was, o.acceptance,
       NOT o.final AND EXISTS (SELECT FROM cleanup c WHERE c.deployment_id = o.id AND c.awaits_final) AS awaits_final
FROM outcome o;
