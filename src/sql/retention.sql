-- What may go. The first two are the daemon's, once in a while and on no decision's way; the rest is the owner's, `needtoknowd maintain`.
-- Time never goes back along the ledger, so what is old is a prefix. OFFSET 0 has each row look by key, as train.sql tells.

-- name: prune_reach
-- Up to where entries are older than is kept, the last checkpoint's size, the leaves in full tiles, the first entry of the oldest
-- disclosure that is active or whose deletion somebody has not confirmed, and up to where bodies may be gone already.
SELECT u.ord,
	coalesce((SELECT l.first_index FROM needtoknow.ledger AS l
		WHERE l.recorded_at >= statement_timestamp() - u.keep * interval '1 microsecond'
		ORDER BY l.recorded_at, l.first_index LIMIT 1), (SELECT h.size FROM needtoknow.head AS h)),
	coalesce((SELECT c.size FROM needtoknow.checkpoint AS c ORDER BY c.size DESC LIMIT 1), 0),
	256 * coalesce((SELECT t.number + 1 FROM needtoknow.tile AS t WHERE t.level = 0 ORDER BY t.number DESC LIMIT 1), 0),
	coalesce(least((SELECT min(d.shared_index) FROM needtoknow.disclosure AS d WHERE d.state = 1),
		(SELECT min(d.shared_index) FROM needtoknow.withdrawal AS w JOIN needtoknow.disclosure AS d ON d.disclosure_id = w.disclosure_id
			WHERE w.confirmed_index IS NULL)), 9223372036854775807),
	coalesce((SELECT p.until FROM needtoknow.pruned AS p ORDER BY p.until DESC LIMIT 1), 0)
FROM unnest($1::bigint[]) WITH ORDINALITY AS u(keep, ord);

-- name: ledger_room
-- The ledger's size, and the first index for which there is no partition.
SELECT h.size, coalesce((SELECT max(p.ends) FROM needtoknow.ledger_partition AS p WHERE NOT p.leaving), 0) FROM needtoknow.head AS h;

-- name: maintain_owner
-- Who owns the ledger, and may we act as that role? Asked of the catalogue, which anyone may.
SELECT pg_get_userbyid(c.relowner), quote_ident(pg_get_userbyid(c.relowner)), pg_has_role(current_user, c.relowner, 'MEMBER')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'needtoknow' AND c.relname = 'ledger';

-- name: maintain_version
SELECT max(m.number) FROM needtoknow.migration AS m;

-- name: maintain_growth
-- The ledger's size, the entries of its last day, and the first index for which there is no partition.
SELECT h.size, h.size - needtoknow.recorded_before(statement_timestamp() - interval '1 day'),
	coalesce((SELECT max(p.ends) FROM needtoknow.ledger_partition AS p), 0)
FROM needtoknow.head AS h;

-- name: maintain_add_partition
SELECT needtoknow.add_partition($1::bigint);

-- name: maintain_pruned
-- The last PRUNED entry that a checkpoint covers: below what, and which one it is. Whoever verifies up to a checkpoint must find there why
-- a body is gone.
SELECT p.until, p.ledger_index FROM needtoknow.pruned AS p
CROSS JOIN LATERAL (SELECT e.first_index, e.count, e.kinds FROM needtoknow.ledger AS e WHERE e.first_index <= p.ledger_index
	ORDER BY e.first_index DESC LIMIT 1) AS l
WHERE p.ledger_index < (SELECT max(c.size) FROM needtoknow.checkpoint AS c)
	AND p.ledger_index < l.first_index + l.count AND l.kinds & (1::bigint << 24) <> 0
ORDER BY p.until DESC LIMIT 1;

-- name: maintain_leaving
-- Partitions all of whose entries may go: has its detaching begun, is it attached, and where does it end. A detaching may have been cut
-- short (that one comes first, since only one at a time can be on its way), and so may have been the dropping behind it. A row that runs
-- over the partition's end into what stays keeps it.
SELECT p.partition::text, p.leaving, true, p.ends FROM needtoknow.ledger_partition AS p
WHERE p.leaving OR (p.ends <= $1::bigint AND coalesce((SELECT l.first_index + l.count FROM needtoknow.ledger AS l
	WHERE l.first_index >= p.begins AND l.first_index < p.ends ORDER BY l.first_index DESC LIMIT 1), 0) <= $1::bigint)
UNION ALL
SELECT c.oid::regclass::text, false, false, (substr(c.relname, 8)::bigint + 1) * 67108864 FROM pg_class AS c
WHERE c.relnamespace = 'needtoknow'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
	AND CASE WHEN c.relname ~ '^ledger_[0-9]+$' THEN (substr(c.relname, 8)::numeric + 1) * 67108864 <= $1::bigint END
ORDER BY 2 DESC, 4;

-- name: maintain_remove_bodies
-- The next rows from $2 on that lie wholly below $1: how many, of how many entries, and the last one's first index.
WITH found AS MATERIALIZED (
	SELECT l.first_index, l.count FROM needtoknow.ledger AS l
	WHERE l.first_index >= $2::bigint AND l.first_index < $1::bigint AND l.first_index + l.count <= $1::bigint
	ORDER BY l.first_index LIMIT $3::integer),
gone AS (
	DELETE FROM needtoknow.ledger AS l
	WHERE l.first_index >= $2::bigint AND l.first_index <= (SELECT max(f.first_index) FROM found AS f) AND $4::boolean)
SELECT count(*), coalesce(sum(f.count), 0), max(f.first_index) FROM found AS f;

-- name: maintain_next_recipient
SELECT min(s.recipient_id) FROM needtoknow.recipient_slice AS s WHERE s.recipient_id > $1::text;

-- name: maintain_remove_slices
-- Of one recipient, those of packed rows that are wholly below $2, from $3 on: how many, and the last one's row.
WITH found AS MATERIALIZED (
	SELECT s.ctid, s.first_index FROM needtoknow.recipient_slice AS s
	WHERE s.recipient_id = $1::text AND s.first_index >= $3::bigint AND s.first_index < $2::bigint
		AND NOT EXISTS (SELECT FROM needtoknow.ledger AS l WHERE l.first_index = s.first_index AND l.first_index + l.count > $2::bigint
			OFFSET 0)
	ORDER BY s.first_index LIMIT $4::integer),
gone AS (DELETE FROM needtoknow.recipient_slice AS s WHERE s.ctid = ANY (ARRAY(SELECT f.ctid FROM found AS f)) AND $5::boolean)
SELECT count(*), max(f.first_index) FROM found AS f;

-- name: maintain_policy
-- The policy in force.
SELECT p.text FROM needtoknow.policy_activation AS a JOIN needtoknow.policy AS p ON p.policy_number = a.policy_number
ORDER BY a.ledger_index DESC LIMIT 1;

-- name: maintain_recorded_before
SELECT needtoknow.recorded_before(statement_timestamp() - $1::bigint * interval '1 microsecond');

-- name: maintain_pages
-- Of a table, how many pages it has now.
SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint;

-- name: maintain_clear_disclosures
-- On pages from $2 to before $3: disclosures that ended before entry $1, and of which nobody still has anything that we know of. The
-- digest goes too: with the secret's key it tells of a booking on an invoice whether it is this one.
WITH found AS MATERIALIZED (
	SELECT d.ctid FROM needtoknow.disclosure AS d
	WHERE d.ctid >= format('(%s,0)', $2::bigint)::tid AND d.ctid < format('(%s,0)', $3::bigint)::tid
		AND d.state <> 1 AND d.ended_index < $1::bigint AND (d.subject_id IS NOT NULL OR d.booking_id IS NOT NULL)
		AND NOT EXISTS (SELECT FROM needtoknow.withdrawal AS w WHERE w.disclosure_id = d.disclosure_id
			AND (w.confirmed_index IS NULL OR w.retained_until > statement_timestamp()) OFFSET 0)),
cleared AS (
	UPDATE needtoknow.disclosure AS d SET subject_id = NULL, booking_id = NULL, request_digest = decode(repeat('00', 16), 'hex')
	WHERE d.ctid = ANY (ARRAY(SELECT f.ctid FROM found AS f)) AND $4::boolean)
SELECT count(*) FROM found AS f;

-- name: maintain_clear_references
-- Likewise, whom entries before $1 are about, and the caller's free text. What is of a disclosure goes after the disclosure's own; what
-- raised a right that is still in force stays.
WITH found AS MATERIALIZED (
	SELECT r.ctid FROM needtoknow.entry_reference AS r
	WHERE r.ctid >= format('(%s,0)', $2::bigint)::tid AND r.ctid < format('(%s,0)', $3::bigint)::tid
		AND r.ledger_index < $1::bigint AND (r.subject_id IS NOT NULL OR r.booking_id IS NOT NULL OR r.remark IS NOT NULL)
		AND NOT EXISTS (SELECT FROM needtoknow.disclosure AS d WHERE d.disclosure_id = r.disclosure_id
			AND (d.state = 1 OR d.subject_id IS NOT NULL OR d.booking_id IS NOT NULL) OFFSET 0)
		AND NOT EXISTS (SELECT FROM needtoknow.right_in_force AS f WHERE f.subject_id = r.subject_id AND f.ledger_index = r.ledger_index
			OFFSET 0)),
cleared AS (
	UPDATE needtoknow.entry_reference AS r SET subject_id = NULL, booking_id = NULL, remark = NULL
	WHERE r.ctid = ANY (ARRAY(SELECT f.ctid FROM found AS f)) AND $4::boolean)
SELECT count(*) FROM found AS f;

-- name: maintain_clear_register
-- On pages from $2 to before $3: whose a request of the register was, where it was answered over $1 microseconds ago.
WITH found AS MATERIALIZED (
	SELECT r.ctid FROM needtoknow.rights_request AS r
	WHERE r.ctid >= format('(%s,0)', $2::bigint)::tid AND r.ctid < format('(%s,0)', $3::bigint)::tid
		AND r.answered_at < statement_timestamp() - $1::bigint * interval '1 microsecond' AND r.state <> 1
		AND (r.subject_id IS NOT NULL OR r.request_id IS NOT NULL)),
cleared AS (
	UPDATE needtoknow.rights_request AS r SET subject_id = NULL, request_id = NULL,
		extended_because = CASE WHEN r.extended_because IS NOT NULL THEN '' END
	WHERE r.ctid = ANY (ARRAY(SELECT f.ctid FROM found AS f)) AND $4::boolean)
SELECT count(*) FROM found AS f;

-- name: maintain_remove_requests
-- On pages from $2 to before $3: requests that are $1 days old and whose disclosures have all ended. The id of one is free again; a Share's
-- stays taken as long as its disclosure's row, a client's as long as the register has it.
WITH found AS MATERIALIZED (
	SELECT q.ctid FROM needtoknow.request AS q
	WHERE q.ctid >= format('(%s,0)', $2::bigint)::tid AND q.ctid < format('(%s,0)', $3::bigint)::tid
		AND q.recorded_at < statement_timestamp() - make_interval(days => $1::integer)
		AND NOT EXISTS (SELECT FROM unnest(q.disclosure_ids) AS i(disclosure_id)
			CROSS JOIN LATERAL (SELECT x.state FROM needtoknow.disclosure AS x WHERE x.disclosure_id = i.disclosure_id OFFSET 0) AS d
			WHERE d.state = 1)
		AND NOT EXISTS (SELECT FROM needtoknow.rights_request AS a WHERE a.request_key = q.request_key AND a.request_id IS NOT NULL
			OFFSET 0)),
gone AS (DELETE FROM needtoknow.request AS q WHERE q.ctid = ANY (ARRAY(SELECT f.ctid FROM found AS f)) AND $4::boolean)
SELECT count(*) FROM found AS f;
