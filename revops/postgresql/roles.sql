-- The three accounts of the product's database. To be run by a superuser in that database, as often as one likes:
--
--   REVOPS_OWNER_PASSWORD=... REVOPS_APPLICATION_PASSWORD=... psql -v ON_ERROR_STOP=1 -d revops -f roles.sql
--
-- `make up` and docker-compose.yml run it themselves. Which table the application may write, and how, `manage.py migrate` says.
\set owner_password ''
\set application_password ''
\set auditor_password ''
\getenv owner_password REVOPS_OWNER_PASSWORD
\getenv application_password REVOPS_APPLICATION_PASSWORD
\getenv auditor_password REVOPS_AUDITOR_PASSWORD
SET client_min_messages = warning;

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['revops_owner', 'revops_application', 'revops_auditor']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

-- Owns the tables: `manage.py migrate`, `retention`, `backup` and `restore`.
ALTER ROLE revops_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
-- What the web server and the workers are. It owns nothing.
ALTER ROLE revops_application LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
-- Reads what happened, without secrets, and writes nothing.
ALTER ROLE revops_auditor LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
-- Without a password given the one that is there stays.
SELECT format('ALTER ROLE %I PASSWORD %L', name, password)
  FROM (VALUES ('revops_owner', :'owner_password'), ('revops_application', :'application_password'),
               ('revops_auditor', :'auditor_password')) AS given(name, password)
 WHERE password <> '' \gexec

ALTER DATABASE :"DBNAME" OWNER TO revops_owner;
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO revops_application, revops_auditor;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
