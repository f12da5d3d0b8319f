-- name: catalogue_columns
-- The columns of the views that a policy names, and whether this role may read each. One row without a column for a view that
-- is not there, or that this role may not look into. A domain counts as what it is over. Two texts that a non-deterministic
-- collation takes for equal would be two keys to us and one row to the view.
SELECT u.ord,
	c.oid IS NOT NULL,
	coalesce(has_schema_privilege(n.oid, 'USAGE'), false),
	a.attname::text,
	coalesce(nullif(t.typbasetype, 0), t.oid)::bigint,
	format_type(a.atttypid, a.atttypmod)::text,
	coalesce(l.collisdeterministic, true),
	coalesce(has_column_privilege(c.oid, a.attnum, 'SELECT'), false)
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(schema, view, ord)
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = u.schema
LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = u.view AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
ORDER BY u.ord, a.attnum;

-- name: catalogue_rights
-- What this role may read and no policy names: relations outside PostgreSQL's own schemas and ours, with their columns beside
-- the listed ones ($1 schema, $2 relation, $3 column; an empty column stands for all). A hundred of them are enough to tell.
SELECT n.nspname::text, c.relname::text, string_agg(a.attname::text, ', ' ORDER BY a.attnum)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
	AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'needtoknow')
	AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp\_%'
	AND has_schema_privilege(n.oid, 'USAGE')
	AND has_column_privilege(c.oid, a.attnum, 'SELECT')
	AND NOT EXISTS (
		SELECT FROM unnest($1::text[], $2::text[], $3::text[]) AS u(schema, relation, "column")
		WHERE u.schema = n.nspname AND u.relation = c.relname AND u."column" IN (a.attname::text, ''))
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
LIMIT 100;

-- name: catalogue_change_queue
-- The change queue in each schema that this role may look into: is it there, what does it lack of the contract's columns, may this role read
-- it and remove from it.
SELECT u.schema, c.oid IS NOT NULL,
	(SELECT string_agg(w.name, ', ') FROM unnest(ARRAY['change_id', 'subject_id', 'source', 'key', 'columns']) AS w(name)
		WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = w.name AND NOT a.attisdropped)),
	coalesce(has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'DELETE'), false)
FROM (SELECT schema, min(ord) AS ord FROM unnest($1::text[]) WITH ORDINALITY AS s(schema, ord) GROUP BY schema) AS u
JOIN pg_catalog.pg_namespace AS n ON n.nspname = u.schema AND has_schema_privilege(n.oid, 'USAGE')
LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'change_queue' AND c.relkind IN ('r', 'p', 'v', 'f')
ORDER BY u.ord;

-- name: catalogue_role
-- A superuser, or a member of pg_read_all_data, may read everything whatever was granted.
SELECT current_user::text, r.rolsuper OR pg_has_role(r.oid, 'pg_read_all_data', 'USAGE')
FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user;
