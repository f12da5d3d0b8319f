-- What makes the ledger verifiable without us (tiles, checkpoints), what makes ten million entries answer at once, and forgetting.

-- The Merkle tree in tiles of 256 hashes (https://c2sp.org/tlog-tiles). Full tiles alone, written once: level 0 holds the leaves, so that
-- bodies can go; a hash of level n + 1 is the root of a full tile of level n.
CREATE TABLE needtoknow.tile (
	level  smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
	number bigint   NOT NULL CHECK (number >= 0),
	root   bytea    NOT NULL CHECK (length(root) = 32),
	hashes bytea    NOT NULL CHECK (length(hashes) = 8192),
	PRIMARY KEY (level, number)
);
ALTER TABLE needtoknow.tile ALTER COLUMN hashes SET STORAGE EXTERNAL; -- read in slices

-- Where every fourth entry begins in `bodies`, in bytes from 0: one entry is read without the 500 around it. NULL: of rows before this.
ALTER TABLE needtoknow.ledger ADD COLUMN marks integer[];
-- Which of its entries are of the rare kinds that the index ledger_rare is for: each one's place in the row, counted from 0, times 64, and
-- its EntryKind. NULL: none, or a row before this.
ALTER TABLE needtoknow.ledger ADD COLUMN rare integer[];

-- Every checkpoint that was ever published (https://c2sp.org/tlog-checkpoint).
CREATE TABLE needtoknow.checkpoint (
	size      bigint      PRIMARY KEY CHECK (size >= 0),
	root_hash bytea       NOT NULL CHECK (length(root_hash) = 32),
	note      text        NOT NULL,
	signed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The keys that sign checkpoints, as of the KEY_ROTATED entry that names them: a line each, in the entry's order.
CREATE TABLE needtoknow.verifier_key (
	ledger_index  bigint PRIMARY KEY,
	verifier_keys text   NOT NULL
);

-- Bodies of entries below `until` may go, as the PRUNED entry says. Committed before the first of them goes.
CREATE TABLE needtoknow.pruned (
	until        bigint      PRIMARY KEY CHECK (until > 0 AND until % 256 = 0),
	ledger_index bigint      NOT NULL,
	recorded_at  timestamptz NOT NULL
);

CREATE TRIGGER tile_append_only BEFORE UPDATE OR DELETE ON needtoknow.tile FOR EACH ROW EXECUTE FUNCTION needtoknow.refuse_change();
CREATE TRIGGER tile_no_truncate BEFORE TRUNCATE ON needtoknow.tile FOR EACH STATEMENT EXECUTE FUNCTION needtoknow.refuse_change();
CREATE TRIGGER checkpoint_append_only BEFORE UPDATE OR DELETE ON needtoknow.checkpoint
	FOR EACH ROW EXECUTE FUNCTION needtoknow.refuse_change();
CREATE TRIGGER checkpoint_no_truncate BEFORE TRUNCATE ON needtoknow.checkpoint
	FOR EACH STATEMENT EXECUTE FUNCTION needtoknow.refuse_change();
CREATE TRIGGER pruned_append_only BEFORE UPDATE OR DELETE ON needtoknow.pruned FOR EACH ROW EXECUTE FUNCTION needtoknow.refuse_change();
CREATE TRIGGER pruned_no_truncate BEFORE TRUNCATE ON needtoknow.pruned FOR EACH STATEMENT EXECUTE FUNCTION needtoknow.refuse_change();

-- A packed row whose entries are all below what a PRUNED entry allows may go; the owner alone has the right to.
CREATE FUNCTION needtoknow.refuse_unless_pruned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' AND OLD.first_index + OLD.count <= (SELECT coalesce(max(p.until), 0) FROM needtoknow.pruned AS p) THEN
		RETURN OLD;
	END IF;
	RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
DROP TRIGGER ledger_append_only ON needtoknow.ledger;
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON needtoknow.ledger FOR EACH ROW EXECUTE FUNCTION needtoknow.refuse_unless_pruned();

-- Where a time begins; one entry a train costs nothing.
DROP INDEX needtoknow.ledger_recorded_at;
CREATE INDEX ledger_recorded_at ON needtoknow.ledger (recorded_at, first_index);
-- Trains that carry something other than SHARED, DELIVERED, ACKNOWLEDGED, EXPIRED, WITHDRAWN and DELETION_CONFIRMED (bits 1, 3, 4, 8, 9, 10):
-- who looks for what is rare walks these alone.
CREATE INDEX ledger_rare ON needtoknow.ledger (first_index) INCLUDE (kinds) WHERE kinds & ~1818::bigint <> 0;

-- Which entries of which trains name a recipient. An index of each entry by recipient would cost an insertion an entry; this costs one a
-- recipient and train.
CREATE TABLE needtoknow.recipient_slice (
	recipient_id text      NOT NULL,
	first_index  bigint    NOT NULL,            -- the packed row
	entries      integer[],                     -- of the row's, in order, as in ledger.rare; NULL: any may be
	kinds        bigint    NOT NULL DEFAULT -1, -- theirs, as in the ledger
	PRIMARY KEY (recipient_id, first_index)
);
-- Of what was recorded before.
INSERT INTO needtoknow.recipient_slice (recipient_id, first_index)
SELECT DISTINCT e.recipient_id, l.first_index
FROM needtoknow.entry_of AS e
JOIN needtoknow.ledger AS l ON e.ledger_index >= l.first_index AND e.ledger_index < l.first_index + l.count
WHERE e.recipient_id IS NOT NULL;

-- The entries of a disclosure, each branch by its key. Joining it to persons and bookings first would have a plan walk whole tables.
DROP VIEW needtoknow.entry_of;
CREATE VIEW needtoknow.entry_of_disclosure AS
SELECT d.disclosure_id, d.shared_index AS ledger_index, NULL::text AS subject_id, NULL::text AS booking_id FROM needtoknow.disclosure AS d
UNION ALL
SELECT d.disclosure_id, d.ended_index, NULL, NULL FROM needtoknow.disclosure AS d WHERE d.ended_index IS NOT NULL
UNION ALL
SELECT s.disclosure_id, s.ledger_index, NULL, NULL FROM needtoknow.sent AS s
UNION ALL
-- One acknowledgement may be of several sendings of the same values: it stands here with each.
SELECT s.disclosure_id, s.acknowledged_index, NULL, NULL FROM needtoknow.sent AS s WHERE s.acknowledged_index IS NOT NULL
UNION ALL
SELECT w.disclosure_id, w.ledger_index, NULL, NULL FROM needtoknow.withdrawal AS w
UNION ALL
SELECT w.disclosure_id, w.confirmed_index, NULL, NULL FROM needtoknow.withdrawal AS w WHERE w.confirmed_index IS NOT NULL
UNION ALL
SELECT r.disclosure_id, r.ledger_index, r.subject_id, r.booking_id FROM needtoknow.entry_reference AS r WHERE r.disclosure_id IS NOT NULL;
GRANT SELECT ON needtoknow.entry_of_disclosure TO :"state_role", :"audit_role";

-- Bit n: field n of the release, as the policy has it under which it was shared, was not sent, since a narrower policy was in force.
ALTER TABLE needtoknow.sent ADD COLUMN left_out bigint NOT NULL DEFAULT 0;

ALTER TABLE needtoknow.withdrawal ADD COLUMN confirmed_at timestamptz;
UPDATE needtoknow.withdrawal AS w SET confirmed_at = l.recorded_at FROM needtoknow.ledger AS l
WHERE w.confirmed_index IS NOT NULL AND w.confirmed_index >= l.first_index AND w.confirmed_index < l.first_index + l.count;
CREATE INDEX withdrawal_overdue ON needtoknow.withdrawal (delete_by, disclosure_id, device) WHERE confirmed_index IS NULL;

-- Forgets a subject: the key that makes entries theirs goes, and with it every join from a person or a booking to the ledger. The entries
-- stay, and every proof of them. Refused while anything is still shared, or is not yet confirmed to be deleted. What a subject forbade stays
-- forbidden, without what would lead from there to the entries: which one it was, and when. True when there was something to forget.
-- For a train, which declares the subject's key exclusive, so that nobody goes on from what was read before.
CREATE FUNCTION needtoknow.forget(subject text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	forgotten boolean;
BEGIN
	-- OFFSET 0 for the reason that src/sql/train.sql gives.
	IF EXISTS (SELECT FROM (SELECT x.state FROM needtoknow.disclosure AS x WHERE x.subject_id = subject OFFSET 0) AS d
			WHERE d.state = 1) THEN
		RAISE EXCEPTION 'something of this subject is still shared' USING ERRCODE = 'object_in_use',
			HINT = 'Revoke it, or wait for its end.';
	END IF;
	IF EXISTS (SELECT FROM needtoknow.disclosure AS d
			CROSS JOIN LATERAL (SELECT x.device FROM needtoknow.sent AS x WHERE x.disclosure_id = d.disclosure_id OFFSET 0) AS s
			LEFT JOIN LATERAL (SELECT x.confirmed_index FROM needtoknow.withdrawal AS x WHERE x.disclosure_id = d.disclosure_id
				AND x.device = s.device OFFSET 0) AS w ON true
			WHERE d.subject_id = subject AND w.confirmed_index IS NULL) THEN
		RAISE EXCEPTION 'a recipient has not confirmed yet that it deleted what it had of this subject' USING ERRCODE = 'object_in_use',
			HINT = 'needtoknow audit overdue lists who has not.';
	END IF;
	DELETE FROM needtoknow.subject_key AS k WHERE k.subject_id = subject;
	forgotten := FOUND;
	-- A booking of theirs may stand where somebody named it with another client's id.
	UPDATE needtoknow.entry_reference AS r SET booking_id = NULL WHERE r.booking_id = ANY (ARRAY(
		SELECT d.booking_id FROM needtoknow.disclosure AS d WHERE d.subject_id = subject
		UNION SELECT o.booking_id FROM needtoknow.entry_reference AS o WHERE o.subject_id = subject));
	UPDATE needtoknow.entry_reference AS r SET subject_id = NULL, booking_id = NULL, remark = NULL WHERE r.disclosure_id = ANY (ARRAY(
		SELECT d.disclosure_id FROM needtoknow.disclosure AS d WHERE d.subject_id = subject));
	UPDATE needtoknow.entry_reference AS r SET subject_id = NULL, booking_id = NULL, remark = NULL WHERE r.subject_id = subject;
	-- The digest of what was asked would tell whoever can ask the same again; a repeated request is refused from now on.
	UPDATE needtoknow.disclosure AS d SET subject_id = NULL, booking_id = NULL, request_digest = decode(repeat('00', 16), 'hex')
		WHERE d.subject_id = subject;
	UPDATE needtoknow.right_in_force AS f SET ledger_index = NULL, raised_at = '-infinity' WHERE f.subject_id = subject;
	RETURN forgotten;
END
$$;
REVOKE EXECUTE ON FUNCTION needtoknow.forget(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION needtoknow.forget(text) TO :"state_role";
GRANT UPDATE (ledger_index, raised_at) ON needtoknow.right_in_force TO :"state_role";

-- Retention. Every entry below the answer was recorded before that moment; where its row is gone, a checkpoint of that time tells.
CREATE INDEX checkpoint_signed_at ON needtoknow.checkpoint (signed_at);
CREATE FUNCTION needtoknow.recorded_before(moment timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT greatest(0,
		(SELECT l.first_index + l.count FROM needtoknow.ledger AS l WHERE l.recorded_at < moment
			ORDER BY l.recorded_at DESC, l.first_index DESC LIMIT 1),
		(SELECT c.size FROM needtoknow.checkpoint AS c WHERE c.signed_at < moment ORDER BY c.signed_at DESC, c.size DESC LIMIT 1))
$$;

-- The ledger's partitions: entries from `begins` to before `ends`; `leaving`: its detaching has begun and was cut short.
CREATE VIEW needtoknow.ledger_partition AS
SELECT c.oid::regclass AS partition, b.bounds[1]::bigint AS begins, b.bounds[2]::bigint AS ends, i.inhdetachpending AS leaving
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
CROSS JOIN LATERAL (SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([0-9]+)''\) TO \(''([0-9]+)''\)') AS bounds) AS b
WHERE i.inhparent = 'needtoknow.ledger'::regclass;
GRANT SELECT ON needtoknow.ledger_partition TO :"state_role";

-- Adds partition `number`. It is made beside the ledger and then attached, which waits for no train and holds none up; rights and the
-- triggers of rows come from the ledger itself.
CREATE FUNCTION needtoknow.add_partition(number bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	entries CONSTANT bigint := 67108864;
	name    CONSTANT text   := 'ledger_' || number;
BEGIN
	EXECUTE format('CREATE TABLE needtoknow.%I (LIKE needtoknow.ledger INCLUDING CONSTRAINTS INCLUDING STORAGE)', name);
	EXECUTE format('CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON needtoknow.%I'
		' FOR EACH STATEMENT EXECUTE FUNCTION needtoknow.refuse_change()', name);
	EXECUTE format('ALTER TABLE needtoknow.ledger ATTACH PARTITION needtoknow.%I FOR VALUES FROM (%s) TO (%s)', name,
		number * entries, (number + 1) * entries);
END
$$;
REVOKE EXECUTE ON FUNCTION needtoknow.add_partition(bigint) FROM PUBLIC;

GRANT SELECT, INSERT ON needtoknow.tile, needtoknow.checkpoint, needtoknow.verifier_key, needtoknow.pruned, needtoknow.recipient_slice
	TO :"state_role";
GRANT SELECT ON needtoknow.tile, needtoknow.checkpoint, needtoknow.verifier_key, needtoknow.pruned, needtoknow.recipient_slice
	TO :"audit_role";

-- Which migrations were applied, and that they are this program's: `needtoknowd doctor`.
GRANT SELECT ON needtoknow.migration TO :"state_role";
