-- Sets up the roles sluice_owner, sluice_app and sluice_auditor.
-- column: roles_setup void
SELECT roles_setup();
