-- Who owns the schema, and whether this role is that one or may become it.
-- column: owner text
-- column: role text
-- column: may bool
SELECT pg_get_userbyid(relowner)::text AS owner, current_user::text AS role,
       pg_has_role(current_user, relowner, 'MEMBER') AS may
FROM pg_class
WHERE oid = to_regclass('schema_migration');
