-- Roles of an exchange's database, once per database server, by its superuser:
--
--   psql -v ON_ERROR_STOP=1 -f roles.sql
--
-- Then give the three logins their passwords (\password odzivd asks twice and sends
-- no password in clear) and let odzivd make everything else:
--
--   odzivd init --dir D --genesis genesis.json --db postgres://odziv_install@HOST/odziv
--
-- odziv_owner owns and cannot log in; odziv_api may add to the ledger and never
-- change or delete in it; odziv_eraser deletes what is erased, and nothing else;
-- odziv_audit reads. The logins own nothing and inherit nothing: each session takes
-- the role that it needs. A second run changes nothing.

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['odziv_owner', 'odziv_api', 'odziv_eraser', 'odziv_audit'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', name);
    END IF;
  END LOOP;
  FOREACH name IN ARRAY ARRAY['odzivd', 'odziv_install', 'odziv_look'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT', name);
    END IF;
  END LOOP;
  -- Whoever is more than these lines say is refused: somebody changed it by hand.
  SELECT rolname INTO name FROM pg_roles
    WHERE rolname IN ('odziv_owner', 'odziv_api', 'odziv_eraser', 'odziv_audit', 'odzivd', 'odziv_install', 'odziv_look')
      AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
           OR rolcanlogin AND rolname IN ('odziv_owner', 'odziv_api', 'odziv_eraser', 'odziv_audit'))
    LIMIT 1;
  IF name IS NOT NULL THEN
    RAISE EXCEPTION 'role % may more than it must: ALTER ROLE % NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS', name, name;
  END IF;
END
$$;

GRANT odziv_api, odziv_eraser TO odzivd;
GRANT odziv_owner, odziv_api, odziv_eraser TO odziv_install;
GRANT odziv_audit TO odziv_look;

SELECT 'CREATE DATABASE odziv ENCODING ''UTF8'' TEMPLATE template0'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'odziv') \gexec

REVOKE ALL ON DATABASE odziv FROM PUBLIC;
GRANT CONNECT ON DATABASE odziv TO odzivd, odziv_install, odziv_look;

\connect odziv
CREATE SCHEMA IF NOT EXISTS odziv AUTHORIZATION odziv_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
