-- Clients' rights. As in read.sql, look-ups are LATERAL with OFFSET 0.

-- name: asked_facts
-- Who asks for a right: their key, whether they were erased, and the database's time. `stored`: something of them is known here.
SELECT u.ord, k.pseudonym, k.key, e.subject_id IS NOT NULL, k.subject_id IS NOT NULL OR f.subject_id IS NOT NULL, clock_timestamp()
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS k ON true
LEFT JOIN LATERAL (SELECT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id LIMIT 1) AS f ON true
LEFT JOIN LATERAL (SELECT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id AND x.kind = 1
	AND x.purpose = '' OFFSET 0) AS e ON true;

-- Retention of the company's columns (retention_sweeper.c).

-- name: column_sweeps_pending
-- A page of the clients of whom columns are to go, by their ids.
SELECT u.ord, s.subject_id, s.request_key, array_to_string(s.columns, E'\n')
FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u(after, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.column_sweep AS x WHERE x.subject_id > u.after ORDER BY x.subject_id LIMIT u.amount) AS s
ORDER BY u.ord, s.subject_id;

-- name: column_sweep_facts
-- Their key, whether they were erased, and under which request key the company was asked; NULL: that is done.
SELECT u.ord, k.pseudonym, k.key, e.subject_id IS NOT NULL, s.request_key
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS k ON true
LEFT JOIN LATERAL (SELECT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id AND x.kind = 1
	AND x.purpose = '' OFFSET 0) AS e ON true
LEFT JOIN LATERAL (SELECT x.request_key FROM needtoknow.column_sweep AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS s ON true;
