-- What the gates of an environment (by its id), of an app's (one of that name, or all), or of all say is to be looked at
-- anew, at once: of the releases that may still go out, which are those that are not older than what was deployed there last.
-- param:  environment_id uuid
-- param:  app text
-- param:  environment text
UPDATE gate_state s SET look_at = clock_timestamp()
FROM environment e, release r
WHERE e.id = s.environment_id AND r.id = s.release_id
  AND e.id = ANY (CASE WHEN $1::uuid IS NOT NULL THEN ARRAY[$1::uuid] -- by one index, whatever is given
                       ELSE ARRAY(SELECT o.id FROM environment o
                                  WHERE ($2::text IS NULL OR o.app = $2) AND ($3::text IS NULL OR o.name = $3)) END)
  AND r.created_at >= coalesce((SELECT p.created_at FROM deployment d JOIN release p ON p.id = d.release_id
                                WHERE d.environment_id = e.id AND d.kind = 'deploy' AND d.state = 'succeeded'
                                ORDER BY d.id DESC LIMIT 1), '-infinity');
