-- Gives the application and the auditor their rights on what migrations made, where the roles are set up.
-- column: roles_grant void
SELECT roles_grant() FROM pg_class
WHERE oid = to_regclass('schema_migration') AND pg_get_userbyid(relowner) = 'sluice_owner'
  AND pg_has_role(current_user, relowner, 'USAGE');
