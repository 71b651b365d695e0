-- The database and its roles (docs/operating.md, "Database roles"), with passwords; PostgreSQL's image runs it once.
\set owner `cat /run/secrets/sluice-password`
\set app `cat /run/secrets/sluice_app-password`
\set auditor `cat /run/secrets/sluice_auditor-password`
CREATE ROLE sluice LOGIN CREATEROLE PASSWORD :'owner';
CREATE ROLE sluice_owner NOLOGIN;
CREATE ROLE sluice_app LOGIN PASSWORD :'app';
CREATE ROLE sluice_auditor LOGIN PASSWORD :'auditor';
GRANT sluice_owner TO sluice;
CREATE DATABASE sluice OWNER sluice ENCODING 'UTF8';
