-- What auditors ask. `dir` is 1 for oldest first, -1 for newest first; `after` is the last index that was seen.

-- name: subject_pseudonym
SELECT u.ord, k.pseudonym, k.key FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS k;

-- name: entries_of_disclosure
SELECT u.ord, e.ledger_index
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::integer[]) WITH ORDINALITY
	AS u(disclosure_id, subject_id, booking_id, recipient_id, dir, after, amount, ord)
CROSS JOIN LATERAL (SELECT i.ledger_index FROM needtoknow.entry_of AS i WHERE i.disclosure_id = u.disclosure_id
	AND (u.subject_id IS NULL OR i.subject_id = u.subject_id) AND (u.booking_id IS NULL OR i.booking_id = u.booking_id)
	AND (u.recipient_id IS NULL OR i.recipient_id = u.recipient_id) AND i.ledger_index * u.dir > u.after * u.dir
	ORDER BY i.ledger_index * u.dir LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index * u.dir;

-- name: entries_of_booking
SELECT u.ord, e.ledger_index
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::integer[]) WITH ORDINALITY
	AS u(disclosure_id, subject_id, booking_id, recipient_id, dir, after, amount, ord)
CROSS JOIN LATERAL (SELECT i.ledger_index FROM needtoknow.entry_of AS i WHERE i.booking_id = u.booking_id
	AND (u.subject_id IS NULL OR i.subject_id = u.subject_id) AND (u.recipient_id IS NULL OR i.recipient_id = u.recipient_id)
	AND i.ledger_index * u.dir > u.after * u.dir
	ORDER BY i.ledger_index * u.dir LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index * u.dir;

-- name: entries_of_subject
SELECT u.ord, e.ledger_index
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::integer[]) WITH ORDINALITY
	AS u(disclosure_id, subject_id, booking_id, recipient_id, dir, after, amount, ord)
CROSS JOIN LATERAL (SELECT i.ledger_index FROM needtoknow.entry_of AS i WHERE i.subject_id = u.subject_id
	AND (u.recipient_id IS NULL OR i.recipient_id = u.recipient_id) AND i.ledger_index * u.dir > u.after * u.dir
	ORDER BY i.ledger_index * u.dir LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index * u.dir;

-- name: entries_of_recipient
SELECT u.ord, e.ledger_index
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::integer[]) WITH ORDINALITY
	AS u(disclosure_id, subject_id, booking_id, recipient_id, dir, after, amount, ord)
CROSS JOIN LATERAL (SELECT i.ledger_index FROM needtoknow.entry_of AS i WHERE i.recipient_id = u.recipient_id
	AND i.ledger_index * u.dir > u.after * u.dir
	ORDER BY i.ledger_index * u.dir LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index * u.dir;

-- name: ledger_rows_forward
-- Packed rows from the one that holds entry after + 1 on. Rows without one of the kinds, or outside the times, are left out.
SELECT u.ord, l.first_index, l.count, l.bodies
FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::integer[]) WITH ORDINALITY
	AS u(after, kinds, recorded_from, recorded_until, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.ledger AS e
	WHERE e.first_index >= coalesce((SELECT s.first_index FROM needtoknow.ledger AS s WHERE s.first_index <= u.after + 1
			ORDER BY s.first_index DESC LIMIT 1), 0)
		AND e.first_index + e.count > u.after + 1 AND e.kinds & u.kinds <> 0
		AND e.recorded_at >= u.recorded_from AND e.recorded_at < u.recorded_until
	ORDER BY e.first_index LIMIT u.amount) AS l
ORDER BY u.ord, l.first_index;

-- name: ledger_rows_backward
SELECT u.ord, l.first_index, l.count, l.bodies
FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::integer[]) WITH ORDINALITY
	AS u(after, kinds, recorded_from, recorded_until, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.ledger AS e
	WHERE e.first_index < u.after AND e.kinds & u.kinds <> 0
		AND e.recorded_at >= u.recorded_from AND e.recorded_at < u.recorded_until
	ORDER BY e.first_index DESC LIMIT u.amount) AS l
ORDER BY u.ord, l.first_index DESC;

