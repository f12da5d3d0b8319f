-- What auditors ask. `dir` is 1 for oldest first, -1 for newest first; `after` is the last index that was seen.

-- name: subject_pseudonym
SELECT u.ord, k.pseudonym, k.key FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS k;

-- name: entries_of_disclosure
-- What was shared, and what was recorded of it. An acknowledgement of several sendings is one entry.
SELECT u.ord, e.ledger_index
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[]) WITH ORDINALITY
	AS u(disclosure_id, subject_id, booking_id, dir, after, amount, ord)
CROSS JOIN LATERAL (SELECT i.ledger_index
	FROM (SELECT o.ledger_index
		FROM (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = u.disclosure_id
			AND (u.subject_id IS NULL OR x.subject_id = u.subject_id) AND (u.booking_id IS NULL OR x.booking_id = u.booking_id)
			OFFSET 0) AS d
		CROSS JOIN LATERAL (SELECT * FROM needtoknow.entry_of_disclosure AS x WHERE x.disclosure_id = d.disclosure_id OFFSET 0) AS o
		WHERE (u.subject_id IS NULL OR coalesce(o.subject_id, d.subject_id) = u.subject_id)
			AND (u.booking_id IS NULL OR coalesce(o.booking_id, d.booking_id) = u.booking_id)
		UNION ALL
		SELECT r.ledger_index FROM (SELECT * FROM needtoknow.entry_reference AS x WHERE x.disclosure_id = u.disclosure_id
			AND (u.subject_id IS NULL OR x.subject_id = u.subject_id) AND (u.booking_id IS NULL OR x.booking_id = u.booking_id)
			OFFSET 0) AS r) AS i
	WHERE i.ledger_index * u.dir > u.after * u.dir
	GROUP BY i.ledger_index ORDER BY i.ledger_index * u.dir LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index * u.dir;

-- name: entries_of_booking
-- No entry of a disclosure has a smaller index than its sharing, so that the first `amount` entries are of the first `amount` disclosures
-- (and of those before `after`, which may go on behind it).
SELECT u.ord, e.ledger_index
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[]) WITH ORDINALITY
	AS u(disclosure_id, subject_id, booking_id, dir, after, amount, ord)
CROSS JOIN LATERAL (SELECT i.ledger_index
	FROM (SELECT o.ledger_index
		FROM ((SELECT * FROM needtoknow.disclosure AS x WHERE x.booking_id = u.booking_id
					AND (u.subject_id IS NULL OR x.subject_id = u.subject_id) AND x.shared_index * u.dir > u.after * u.dir
				ORDER BY x.shared_index LIMIT CASE WHEN u.dir > 0 THEN u.amount END)
			UNION ALL
			(SELECT * FROM needtoknow.disclosure AS x WHERE x.booking_id = u.booking_id
				AND (u.subject_id IS NULL OR x.subject_id = u.subject_id) AND u.dir > 0 AND x.shared_index <= u.after OFFSET 0)) AS d
		CROSS JOIN LATERAL (SELECT * FROM needtoknow.entry_of_disclosure AS x WHERE x.disclosure_id = d.disclosure_id OFFSET 0) AS o
		WHERE (u.subject_id IS NULL OR coalesce(o.subject_id, d.subject_id) = u.subject_id)
			AND (u.booking_id IS NULL OR coalesce(o.booking_id, d.booking_id) = u.booking_id)
		UNION ALL
		SELECT r.ledger_index FROM (SELECT * FROM needtoknow.entry_reference AS x WHERE x.booking_id = u.booking_id
			AND (u.subject_id IS NULL OR x.subject_id = u.subject_id) OFFSET 0) AS r) AS i
	WHERE i.ledger_index * u.dir > u.after * u.dir
	GROUP BY i.ledger_index ORDER BY i.ledger_index * u.dir LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index * u.dir;

-- name: entries_of_subject
SELECT u.ord, e.ledger_index
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[]) WITH ORDINALITY
	AS u(disclosure_id, subject_id, booking_id, dir, after, amount, ord)
CROSS JOIN LATERAL (SELECT i.ledger_index
	FROM (SELECT o.ledger_index
		FROM ((SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = u.subject_id AND x.shared_index * u.dir > u.after * u.dir
				ORDER BY x.shared_index LIMIT CASE WHEN u.dir > 0 THEN u.amount END)
			UNION ALL
			(SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = u.subject_id AND u.dir > 0 AND x.shared_index <= u.after OFFSET 0)) AS d
		CROSS JOIN LATERAL (SELECT * FROM needtoknow.entry_of_disclosure AS x WHERE x.disclosure_id = d.disclosure_id OFFSET 0) AS o
		WHERE (u.subject_id IS NULL OR coalesce(o.subject_id, d.subject_id) = u.subject_id)
			AND (u.booking_id IS NULL OR coalesce(o.booking_id, d.booking_id) = u.booking_id)
		UNION ALL
		SELECT r.ledger_index FROM (SELECT * FROM needtoknow.entry_reference AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS r) AS i
	WHERE i.ledger_index * u.dir > u.after * u.dir
	GROUP BY i.ledger_index ORDER BY i.ledger_index * u.dir LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index * u.dir;

-- What follows is bounded on both sides: oldest first by `next` and, behind it, `bound`; newest first entries are below `next`, and none is
-- below `bound`. Rows come in the order of the index, and the walk ends when there is enough: the sort goes on within each row alone.

-- name: entries_of_recipient_forward
-- Of `entries` and `rare`, 0004_tree.sql. From the row that holds `next` on, or from the first that was not pruned.
SELECT u.ord, e.ledger_index
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[]) WITH ORDINALITY
	AS u(recipient_id, next, bound, kinds, amount, ord)
CROSS JOIN LATERAL (SELECT s.first_index + (o.entry >> 6) AS ledger_index
	FROM (SELECT * FROM needtoknow.recipient_slice AS r WHERE r.recipient_id = u.recipient_id AND r.kinds & u.kinds <> 0
			AND r.first_index < u.bound AND r.first_index >= coalesce(
				(SELECT f.first_index FROM needtoknow.ledger AS f WHERE f.first_index <= u.next ORDER BY f.first_index DESC LIMIT 1),
				(SELECT f.first_index FROM needtoknow.ledger AS f WHERE f.first_index >= 0 ORDER BY f.first_index LIMIT 1), 0)
		ORDER BY r.first_index) AS s
	CROSS JOIN LATERAL unnest(coalesce(s.entries, ARRAY(SELECT generate_series(0, l.count - 1) << 6
		FROM needtoknow.ledger AS l WHERE l.first_index = s.first_index))) AS o(entry)
	WHERE s.first_index + (o.entry >> 6) >= u.next AND s.first_index + (o.entry >> 6) < u.bound
		AND (o.entry & 63 = 0 OR 1::bigint << (o.entry & 63) & u.kinds <> 0)
	ORDER BY s.first_index, o.entry LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index;

-- name: entries_of_recipient_backward
SELECT u.ord, e.ledger_index
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[]) WITH ORDINALITY
	AS u(recipient_id, next, bound, kinds, amount, ord)
CROSS JOIN LATERAL (SELECT s.first_index + (o.entry >> 6) AS ledger_index
	FROM (SELECT * FROM needtoknow.recipient_slice AS r WHERE r.recipient_id = u.recipient_id AND r.kinds & u.kinds <> 0
			AND r.first_index < u.next AND r.first_index >= coalesce(
				(SELECT f.first_index FROM needtoknow.ledger AS f WHERE f.first_index <= u.bound ORDER BY f.first_index DESC LIMIT 1),
				(SELECT f.first_index FROM needtoknow.ledger AS f WHERE f.first_index >= 0 ORDER BY f.first_index LIMIT 1), 0)
		ORDER BY r.first_index DESC) AS s
	CROSS JOIN LATERAL unnest(coalesce(s.entries, ARRAY(SELECT generate_series(0, l.count - 1) << 6
		FROM needtoknow.ledger AS l WHERE l.first_index = s.first_index))) AS o(entry)
	WHERE s.first_index + (o.entry >> 6) < u.next AND s.first_index + (o.entry >> 6) >= u.bound
		AND (o.entry & 63 = 0 OR 1::bigint << (o.entry & 63) & u.kinds <> 0)
	ORDER BY s.first_index DESC, o.entry DESC LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index DESC;

-- name: entries_rare_forward
-- By the index ledger_rare, whose predicate must stand here word for word: which sets of rare kinds trains carry (a few, each found by one
-- step in the index), then where the rows are of those that have a kind that is asked for, from the index alone. None of the others is
-- walked, and no row is read that the answer does not need, however many there are.
SELECT u.ord, e.ledger_index
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::integer[]) WITH ORDINALITY AS u(next, bound, kinds, amount, ord)
CROSS JOIN LATERAL (SELECT f.first_index FROM (SELECT 1) AS one LEFT JOIN LATERAL (SELECT x.first_index FROM needtoknow.ledger AS x
	WHERE x.first_index <= u.next ORDER BY x.first_index DESC LIMIT 1) AS f ON true OFFSET 0) AS b
CROSS JOIN LATERAL (SELECT l.first_index + (o.entry >> 6) AS ledger_index
	FROM (WITH RECURSIVE sets(kinds) AS (SELECT -9223372036854775808
			UNION ALL SELECT (SELECT x.kinds & ~1818::bigint FROM needtoknow.ledger AS x
				WHERE x.kinds & ~1818::bigint <> 0 AND x.kinds & ~1818::bigint > sets.kinds ORDER BY x.kinds & ~1818::bigint LIMIT 1)
			FROM sets WHERE sets.kinds IS NOT NULL)
		SELECT r.first_index FROM sets CROSS JOIN LATERAL (SELECT x.first_index FROM needtoknow.ledger AS x
			WHERE x.kinds & ~1818::bigint <> 0 AND x.kinds & ~1818::bigint = sets.kinds
				AND x.first_index >= coalesce(b.first_index, 0) AND x.first_index < u.bound
			ORDER BY x.first_index LIMIT u.amount + 1) AS r
		WHERE sets.kinds & u.kinds <> 0
		ORDER BY r.first_index LIMIT u.amount + 1) AS i
	CROSS JOIN LATERAL (SELECT x.first_index, x.count, x.rare FROM needtoknow.ledger AS x WHERE x.first_index = i.first_index OFFSET 0) AS l
	CROSS JOIN LATERAL unnest(coalesce(l.rare, ARRAY(SELECT generate_series(0, l.count - 1) << 6))) AS o(entry)
	WHERE l.first_index + (o.entry >> 6) >= u.next AND l.first_index + (o.entry >> 6) < u.bound
		AND (o.entry & 63 = 0 OR 1::bigint << (o.entry & 63) & u.kinds <> 0)
	ORDER BY l.first_index, o.entry LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index;

-- name: entries_rare_backward
SELECT u.ord, e.ledger_index
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::integer[]) WITH ORDINALITY AS u(next, bound, kinds, amount, ord)
CROSS JOIN LATERAL (SELECT f.first_index FROM (SELECT 1) AS one LEFT JOIN LATERAL (SELECT x.first_index FROM needtoknow.ledger AS x
	WHERE x.first_index <= u.bound ORDER BY x.first_index DESC LIMIT 1) AS f ON true OFFSET 0) AS b
CROSS JOIN LATERAL (SELECT l.first_index + (o.entry >> 6) AS ledger_index
	FROM (WITH RECURSIVE sets(kinds) AS (SELECT -9223372036854775808
			UNION ALL SELECT (SELECT x.kinds & ~1818::bigint FROM needtoknow.ledger AS x
				WHERE x.kinds & ~1818::bigint <> 0 AND x.kinds & ~1818::bigint > sets.kinds ORDER BY x.kinds & ~1818::bigint LIMIT 1)
			FROM sets WHERE sets.kinds IS NOT NULL)
		SELECT r.first_index FROM sets CROSS JOIN LATERAL (SELECT x.first_index FROM needtoknow.ledger AS x
			WHERE x.kinds & ~1818::bigint <> 0 AND x.kinds & ~1818::bigint = sets.kinds
				AND x.first_index >= coalesce(b.first_index, 0) AND x.first_index < u.next
			ORDER BY x.first_index DESC LIMIT u.amount + 1) AS r
		WHERE sets.kinds & u.kinds <> 0
		ORDER BY r.first_index DESC LIMIT u.amount + 1) AS i
	CROSS JOIN LATERAL (SELECT x.first_index, x.count, x.rare FROM needtoknow.ledger AS x WHERE x.first_index = i.first_index OFFSET 0) AS l
	CROSS JOIN LATERAL unnest(coalesce(l.rare, ARRAY(SELECT generate_series(0, l.count - 1) << 6))) AS o(entry)
	WHERE l.first_index + (o.entry >> 6) < u.next AND l.first_index + (o.entry >> 6) >= u.bound
		AND (o.entry & 63 = 0 OR 1::bigint << (o.entry & 63) & u.kinds <> 0)
	ORDER BY l.first_index DESC, o.entry DESC LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index DESC;

-- What follows reads packed rows in one direction from the index `next` on (oldest first: at or after it; newest first: before it): at most
-- `amount` rows, and none behind the first `bytes` of bodies. Bodies are cut out at the very end: no sort carries them.

-- name: ledger_walk_forward
-- The first row from the mark at or before `next` on; a row that is longer than `bytes` comes in pieces, each of a mark at least.
SELECT s.ord, s.first_index, s.from_index, s.until, substring(s.bodies FROM s.at + 1 FOR s.wanted)
FROM (SELECT u.ord, w.first_index, w.from_index, w.until, w.bodies, w.at, greatest(u.bytes, w.mark - w.at) AS wanted
	FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[]) WITH ORDINALITY AS u(next, kinds, amount, bytes, ord)
	CROSS JOIN LATERAL (SELECT m.*, sum(m.size - m.at) OVER (ORDER BY m.first_index) - (m.size - m.at) AS before
		FROM (SELECT l.first_index, l.first_index + b.block * 4 AS from_index, l.first_index + l.count AS until, l.bodies,
				length(l.bodies) AS size, coalesce(l.marks[b.block + 1], 0) AS at,
				coalesce(l.marks[b.block + 2], length(l.bodies)) AS mark
			FROM (SELECT * FROM needtoknow.ledger AS e
				WHERE e.first_index >= coalesce((SELECT f.first_index FROM needtoknow.ledger AS f WHERE f.first_index <= u.next
						ORDER BY f.first_index DESC LIMIT 1), 0)
					AND e.first_index + e.count > u.next AND e.kinds & u.kinds <> 0
				ORDER BY e.first_index LIMIT u.amount) AS l
			CROSS JOIN LATERAL (SELECT CASE WHEN l.marks IS NULL THEN 0 ELSE greatest(u.next - l.first_index, 0)::integer / 4 END
				AS block) AS b) AS m) AS w
	WHERE w.before < u.bytes
	ORDER BY u.ord, w.first_index OFFSET 0) AS s;

-- name: ledger_walk_backward
SELECT s.ord, s.first_index, s.first_index, s.until, substring(s.bodies FROM 1)
FROM (SELECT u.ord, w.first_index, w.first_index + w.count AS until, w.bodies
	FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[]) WITH ORDINALITY AS u(next, kinds, amount, bytes, ord)
	CROSS JOIN LATERAL (SELECT l.*, sum(length(l.bodies)) OVER (ORDER BY l.first_index DESC) - length(l.bodies) AS before
		FROM (SELECT * FROM needtoknow.ledger AS e
			WHERE e.first_index < u.next AND e.kinds & u.kinds <> 0
			ORDER BY e.first_index DESC LIMIT u.amount) AS l) AS w
	WHERE w.before < u.bytes
	ORDER BY u.ord, w.first_index DESC OFFSET 0) AS s;

-- name: ledger_bounds
-- From which index on entries are recorded at or after a time, and from which on at or after another; NULL: none is yet. Times never go
-- back in the ledger.
SELECT u.ord, (SELECT e.first_index FROM needtoknow.ledger AS e WHERE e.recorded_at >= u.recorded_from
		ORDER BY e.recorded_at, e.first_index LIMIT 1),
	(SELECT e.first_index FROM needtoknow.ledger AS e WHERE e.recorded_at >= u.recorded_until
		ORDER BY e.recorded_at, e.first_index LIMIT 1),
	h.size
FROM unnest($1::timestamptz[], $2::timestamptz[]) WITH ORDINALITY AS u(recorded_from, recorded_until, ord)
CROSS JOIN needtoknow.head AS h;

-- name: ledger_size
SELECT u.ord, h.size FROM unnest($1::bigint[]) WITH ORDINALITY AS u(nothing, ord) CROSS JOIN needtoknow.head AS h;

-- name: leaf_hashes
-- Of entries whose bodies are gone, from full tiles.
SELECT u.ord, u.number * 256 + u.first, substring(t.hashes FROM u.first * 32 + 1 FOR u.amount * 32)
FROM unnest($1::bigint[], $2::integer[], $3::integer[]) WITH ORDINALITY AS u(number, first, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.tile AS x WHERE x.level = 0 AND x.number = u.number OFFSET 0) AS t
ORDER BY u.ord;
