-- The Merkle tree in tiles, its checkpoints, and who signs them.

-- name: signer_elect
-- The lock of the one worker that signs, of all on all machines: "needtokn". It goes with the session.
SELECT pg_try_advisory_lock(7954877705826659182);

-- name: signer_news
SELECT h.size, h.frontier, c.size, c.root_hash, c.note, c.signed_at
FROM needtoknow.head AS h
LEFT JOIN LATERAL (SELECT * FROM needtoknow.checkpoint AS x ORDER BY x.size DESC LIMIT 1) AS c ON true;

-- name: tile_edges
-- The right edge of the tree: of each level the roots of its last tiles, which are the hashes of the last tile above.
SELECT l.level::smallint, t.number, t.root
FROM generate_series(0, 7) AS l(level)
CROSS JOIN LATERAL (SELECT x.number FROM needtoknow.tile AS x WHERE x.level = l.level ORDER BY x.number DESC LIMIT 1) AS last
CROSS JOIN LATERAL (SELECT y.number, y.root FROM needtoknow.tile AS y
	WHERE y.level = l.level AND y.number >= last.number / 256 * 256 OFFSET 0) AS t
ORDER BY l.level, t.number;

-- name: verifier_keys_last
-- And under which keys the ledger says that it is signed.
SELECT u.ord, k.verifier_keys FROM unnest($1::integer[]) WITH ORDINALITY AS u(one, ord)
CROSS JOIN LATERAL (SELECT x.verifier_keys FROM needtoknow.verifier_key AS x ORDER BY x.ledger_index DESC LIMIT 1) AS k;

-- name: signer_rows
-- Packed rows from the one that holds entry $1 on, of those that begin below $2.
SELECT l.first_index, l.count, l.bodies FROM needtoknow.ledger AS l
WHERE l.first_index >= coalesce((SELECT s.first_index FROM needtoknow.ledger AS s WHERE s.first_index <= $1::bigint
		ORDER BY s.first_index DESC LIMIT 1), $1::bigint)
	AND l.first_index < $2::bigint
ORDER BY l.first_index;

-- name: tile_append
INSERT INTO needtoknow.tile (level, number, root, hashes)
SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::bytea[]);

-- name: checkpoint_publish
-- Never at or below one that was published.
INSERT INTO needtoknow.checkpoint (size, root_hash, note)
SELECT $1::bigint, $2::bytea, $3::text
WHERE $1::bigint > coalesce((SELECT c.size FROM needtoknow.checkpoint AS c ORDER BY c.size DESC LIMIT 1), 0)
RETURNING size, signed_at;

-- name: checkpoint_upto
-- The last one of at most so many entries, and how many full tiles of leaves there are.
SELECT u.ord, c.size, c.root_hash, c.note,
	coalesce((SELECT t.number + 1 FROM needtoknow.tile AS t WHERE t.level = 0 ORDER BY t.number DESC LIMIT 1), 0)
FROM unnest($1::bigint[]) WITH ORDINALITY AS u(size, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.checkpoint AS x WHERE x.size <= u.size ORDER BY x.size DESC LIMIT 1) AS c;

-- name: tiles_full
SELECT u.ord, coalesce((SELECT t.number + 1 FROM needtoknow.tile AS t WHERE t.level = 0 ORDER BY t.number DESC LIMIT 1), 0)
FROM unnest($1::integer[]) WITH ORDINALITY AS u(one, ord);

-- name: tree_nodes
-- Hashes of a tile: a slice of a full one; or, of the last one of a level, which is not stored, the roots of the tiles below.
SELECT u.ord, coalesce(
	(SELECT substring(t.hashes FROM u.first * 32 + 1 FOR u.count * 32) FROM needtoknow.tile AS t
		WHERE t.level = u.level AND t.number = u.number),
	(SELECT string_agg(r.root, ''::bytea ORDER BY r.number) FROM needtoknow.tile AS r
		WHERE r.level = u.level - 1 AND r.number >= u.number * 256 + u.first AND r.number < u.number * 256 + u.first + u.count))
FROM unnest($1::smallint[], $2::bigint[], $3::integer[], $4::integer[]) WITH ORDINALITY AS u(level, number, first, count, ord);

-- name: tree_leaves
-- A range of entries and few more: of each packed row that holds some, the pieces between marks, or all where there are no marks.
SELECT u.ord, l.first_index + c.low * 4, substring(l.bodies FROM coalesce(l.marks[c.low + 1], 0) + 1
	FOR coalesce(l.marks[c.high + 1], length(l.bodies)) - coalesce(l.marks[c.low + 1], 0))
FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS u(first, last, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.ledger AS e
	WHERE e.first_index >= coalesce((SELECT s.first_index FROM needtoknow.ledger AS s WHERE s.first_index <= u.first
			ORDER BY s.first_index DESC LIMIT 1), u.first)
		AND e.first_index <= u.last
	ORDER BY e.first_index) AS l
CROSS JOIN LATERAL (SELECT
	CASE WHEN l.marks IS NULL THEN 0 ELSE least(greatest(u.first - l.first_index, 0), l.count - 1)::integer / 4 END AS low,
	least(u.last - l.first_index, l.count - 1)::integer / 4 + 1 AS high) AS c
ORDER BY u.ord, l.first_index;
