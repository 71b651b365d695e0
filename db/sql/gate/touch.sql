-- What the gates of an environment (by its id), of an app's (one of that name, or all), or of all say is to be looked at
-- anew, at once: of the releases that may still go out, which are those that are not older than what was deployed there last.
-- param:  environment_id uuid
-- param:  app text
-- param:  environment text
UPDATE gate_state s SET look_at = clock_timestamp()
FROM environment e, release r
WHERE e.id = s.environment_id AND r.id = s.release_id
  AND ($1::uuid IS NULL OR e.id = $1) AND ($2::text IS NULL OR e.app = $2) AND ($3::text IS NULL OR e.name = $3)
  AND r.created_at >= coalesce((SELECT p.created_at FROM deployment d JOIN release p ON p.id = d.release_id
                                WHERE d.environment_id = e.id AND d.kind = 'deploy' AND d.state = 'succeeded'
                                ORDER BY d.id DESC LIMIT 1), '-infinity');
