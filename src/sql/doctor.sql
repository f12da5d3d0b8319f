-- What `needtoknowd doctor` asks. Nothing here changes anything, or reads what a client's row holds.

-- name: doctor_session
-- Who we are, and what the server promises. Whoever owns a table can change what the ledger holds.
SELECT r.rolname, r.rolsuper, r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,
	coalesce((SELECT string_agg(g.rolname, ', ' ORDER BY g.rolname) FROM pg_catalog.pg_auth_members AS m
		JOIN pg_catalog.pg_roles AS g ON g.oid = m.roleid WHERE m.member = r.oid), ''),
	coalesce((SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class AS c
		JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' AND c.relowner = r.oid ORDER BY 1 LIMIT 1),
		(SELECT format('schema %I', n.nspname) FROM pg_catalog.pg_namespace AS n WHERE n.nspowner = r.oid LIMIT 1), ''),
	coalesce((SELECT pg_get_userbyid(n.nspowner) FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'needtoknow'), ''),
	pg_is_in_recovery(), current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes')
FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user;

-- name: doctor_clock
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: doctor_missing
-- Of the rights that the migrations grant ($1 what, $2 object, $3 privilege, $4 column or ''), those that this role has not.
SELECT u.what, u.object, u.privilege, u."column"
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u(what, object, privilege, "column")
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = split_part(u.object, '.', 1)
LEFT JOIN pg_catalog.pg_class AS c ON u.what = '' AND c.relnamespace = n.oid AND c.relname = split_part(u.object, '.', 2)
LEFT JOIN pg_catalog.pg_proc AS f ON u.what = 'FUNCTION' AND f.pronamespace = n.oid
	AND f.proname = split_part(split_part(u.object, '.', 2), '(', 1)
LEFT JOIN pg_catalog.pg_attribute AS a ON u."column" <> '' AND a.attrelid = c.oid AND a.attname = u."column"
WHERE NOT coalesce(CASE
	WHEN u.what = 'SCHEMA' THEN has_schema_privilege(n.oid, u.privilege)
	WHEN u.what = 'FUNCTION' THEN has_function_privilege(f.oid, u.privilege)
	WHEN u."column" <> '' THEN has_column_privilege(c.oid, a.attnum, u.privilege)
	ELSE has_table_privilege(c.oid, u.privilege) END, false);

-- name: doctor_beyond
-- What this role may do and nobody granted ($1 to $4 as above; functions that are not for everybody: $5). $6: what it may read outside our
-- schema is told elsewhere; from the company's change queue it removes what was corrected.
WITH granted AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u(what, object, privilege, "column")),
relation AS (
	SELECT c.oid, n.nspname, c.relname, p.privilege, has_table_privilege(c.oid, p.privilege) AS whole
	FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p(privilege)
	WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
		AND has_schema_privilege(n.oid, 'USAGE') AND NOT ($6::boolean AND n.nspname <> 'needtoknow'
			AND (p.privilege = 'SELECT' OR (p.privilege = 'DELETE' AND c.relname = 'change_queue')))
), held AS (
	SELECT ''::text AS what, r.nspname || '.' || r.relname AS object, r.privilege, ''::text AS "column" FROM relation AS r WHERE r.whole
	UNION ALL
	SELECT '', r.nspname || '.' || r.relname, r.privilege, a.attname::text
	FROM relation AS r JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE NOT r.whole AND r.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_column_privilege(r.oid, a.attnum, r.privilege)
	UNION ALL
	SELECT 'SCHEMA', n.nspname, p.privilege, ''
	FROM pg_catalog.pg_namespace AS n CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS p(privilege)
	WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, p.privilege)
		AND (p.privilege = 'CREATE' OR n.nspname = 'needtoknow')
	UNION ALL
	SELECT 'FUNCTION', f.oid::regprocedure::text, 'EXECUTE', ''
	FROM pg_catalog.pg_proc AS f JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
	WHERE n.nspname = 'needtoknow' AND has_function_privilege(f.oid, 'EXECUTE') AND n.nspname || '.' || f.proname = ANY ($5::text[])
)
SELECT h.what, h.object, string_agg(h.privilege || CASE WHEN h."column" <> '' THEN format(' (%I)', h."column") ELSE '' END, ', '
	ORDER BY h.privilege, h."column")
FROM held AS h
WHERE NOT EXISTS (SELECT FROM granted AS g WHERE g.what = h.what AND g.object = h.object AND g.privilege = h.privilege
	AND g."column" IN ('', h."column"))
GROUP BY h.what, h.object ORDER BY h.what, h.object LIMIT 21;

-- name: doctor_migrations
SELECT m.number, m.name, encode(m.digest, 'hex') FROM needtoknow.migration AS m ORDER BY m.number;

-- name: doctor_ledger
-- How far the ledger is and how far it is signed; seconds since the one and the other; what may be gone; orders to delete that are overdue.
SELECT h.size, extract(epoch FROM clock_timestamp() - h.recorded_at)::bigint, coalesce(c.size, 0),
	coalesce(extract(epoch FROM clock_timestamp() - c.signed_at)::bigint, 0),
	coalesce((SELECT max(p.until) FROM needtoknow.pruned AS p), 0),
	(SELECT count(*) FROM (SELECT FROM needtoknow.withdrawal AS w WHERE w.confirmed_index IS NULL AND w.delete_by < statement_timestamp()
		LIMIT 100000) AS overdue)
FROM needtoknow.head AS h
LEFT JOIN LATERAL (SELECT x.size, x.signed_at FROM needtoknow.checkpoint AS x ORDER BY x.size DESC LIMIT 1) AS c ON true;

-- name: doctor_checkpoint
SELECT encode(c.root_hash, 'hex') FROM needtoknow.checkpoint AS c WHERE c.size = $1::bigint;

-- name: doctor_policy
-- The policy in force, and whether the one with digest $1 ever was.
SELECT encode(p.digest, 'hex'), date_trunc('second', a.activated_at)::text, a.activated_by,
	EXISTS (SELECT FROM needtoknow.policy AS x WHERE x.digest = decode($1::text, 'hex'))
FROM needtoknow.policy_activation AS a JOIN needtoknow.policy AS p ON p.policy_number = a.policy_number
ORDER BY a.ledger_index DESC LIMIT 1;

-- name: doctor_functions
-- Of the company's functions in schema $1 ($2: their signatures): is it there, may this role look into the schema, may it execute it, has it
-- its owner's rights; and who else may execute it of PUBLIC and the roles $3 to $5.
SELECT w.signature, f.oid IS NOT NULL, coalesce(has_schema_privilege(n.oid, 'USAGE'), false),
	coalesce(has_function_privilege(f.oid, 'EXECUTE'), false), coalesce(f.prosecdef, false),
	CASE WHEN has_function_privilege('public', f.oid, 'EXECUTE') THEN 'PUBLIC' ELSE coalesce((SELECT string_agg(quote_ident(r.rolname), ', '
		ORDER BY r.rolname) FROM pg_catalog.pg_roles AS r WHERE r.rolname IN ($3::text, $4::text, $5::text) AND r.rolname <> current_user
		AND has_function_privilege(r.oid, f.oid, 'EXECUTE')), '') END
FROM unnest($2::text[]) WITH ORDINALITY AS w(signature, place)
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = $1::text
LEFT JOIN pg_catalog.pg_proc AS f ON f.pronamespace = n.oid
	AND f.proname || '(' || oidvectortypes(f.proargtypes) || ')' = w.signature
ORDER BY w.place;

-- name: doctor_functions_beyond
-- What else this role may execute in the company's schema $1 (its own: $2), or anywhere with an owner's rights.
SELECT f.oid::regprocedure::text
FROM pg_catalog.pg_proc AS f JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'needtoknow') AND has_schema_privilege(n.oid, 'USAGE')
	AND has_function_privilege(f.oid, 'EXECUTE') AND f.prorettype <> 'trigger'::regtype AND (f.prosecdef OR n.nspname = $1::text)
	AND NOT (n.nspname = $1::text AND f.proname || '(' || oidvectortypes(f.proargtypes) || ')' = ANY ($2::text[]))
ORDER BY 1 LIMIT 20;
