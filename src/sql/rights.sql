-- Clients' rights. As in read.sql, look-ups are LATERAL with OFFSET 0.

-- name: asked_facts
-- Who asks for a right: their key, whether they were erased, and the database's time. `stored`: something of them is known here.
SELECT u.ord, k.pseudonym, k.key, e.subject_id IS NOT NULL, k.subject_id IS NOT NULL OR f.subject_id IS NOT NULL, clock_timestamp()
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS k ON true
LEFT JOIN LATERAL (SELECT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id LIMIT 1) AS f ON true
LEFT JOIN LATERAL (SELECT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id AND x.kind = 1
	AND x.purpose = '' OFFSET 0) AS e ON true;
