-- The roles that needtoknow works with. Run once by a superuser, before the migrations and before a company writes its
-- contract schema. Safe to repeat. Give each role a password or a line in pg_ident.conf that suits the installation.
--
--   psql -d company -f deploy/sql/roles.sql

DO $$
DECLARE
	role text;
BEGIN
	-- owner:  owns the schema `needtoknow`, runs `needtoknowd migrate` and maintenance. Nothing that serves calls uses it.
	-- state:  the daemon's own tables. Owns nothing; may add to the ledger, never change it.
	-- source: reads the columns of the contract's views that the policy names (`needtoknow policy grants FILE`), nothing else, and
	--         removes from the change queue what was corrected.
	-- rights: calls the contract's functions for clients' rights, and may do nothing else (`--rights-role` of the same command).
	-- audit:  reads the ledger, on a replica if there is one.
	FOREACH role IN ARRAY ARRAY['needtoknow_owner', 'needtoknow_state', 'needtoknow_source', 'needtoknow_rights', 'needtoknow_audit']
	LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
			EXECUTE format('CREATE ROLE %I LOGIN', role);
		END IF;
	END LOOP;

	-- The owner creates its schema in this database; nobody else creates anything in it.
	EXECUTE format('GRANT CREATE ON DATABASE %I TO needtoknow_owner', current_database());
	EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
