-- What flags would become in an environment if they were there what they are in another one.

CREATE FUNCTION flag_diff(p_app text, p_from uuid, p_to uuid)
RETURNS TABLE (flag text, revision bigint, before jsonb, after jsonb) LANGUAGE sql STABLE AS $$
    SELECT f.flag, t.revision,
           jsonb_build_object('enabled', coalesce(t.enabled, false), 'killed', k.killed) || coalesce(t.spec, '{"strategies": [], "default_variant": null, "requires_release": null}'),
           jsonb_build_object('enabled', f.enabled, 'killed', k.killed) || f.spec
    FROM flag_environment f
    LEFT JOIN flag_environment t ON t.environment_id = p_to AND t.flag = f.flag,
         LATERAL (SELECT coalesce(t.killed, false) AS killed) k
    WHERE f.app = p_app AND f.environment_id = p_from
      AND (t.environment_id IS NULL OR (f.enabled, f.spec) IS DISTINCT FROM (t.enabled, t.spec))
$$;
COMMENT ON FUNCTION flag_diff IS 'Flags that are not in p_to what they are in p_from: before, and after they were promoted. The kill switch stays where it is; what nobody spoke of in p_from is left alone; revision null: nobody did in p_to.';
