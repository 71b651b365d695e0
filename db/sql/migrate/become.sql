-- Goes on as whoever owns the schema, if this role may: what a migration makes belongs to the same role as the rest.
-- column: owner text
-- column: role text
-- column: may bool
-- column: became text
SELECT pg_get_userbyid(relowner)::text AS owner, current_user::text AS role,
       pg_has_role(current_user, relowner, 'MEMBER') AS may,
       CASE WHEN pg_has_role(current_user, relowner, 'MEMBER') AND pg_get_userbyid(relowner) <> current_user
            THEN set_config('role', pg_get_userbyid(relowner)::text, false) END AS became
FROM pg_class
WHERE oid = to_regclass('schema_migration');
