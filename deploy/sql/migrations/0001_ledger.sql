-- The ledger, its head, and what the trains need to agree with one another.

CREATE SCHEMA IF NOT EXISTS needtoknow;
REVOKE ALL ON SCHEMA needtoknow FROM PUBLIC;
GRANT USAGE ON SCHEMA needtoknow TO :"state_role", :"audit_role";

-- One row: the right edge of the Merkle tree. Whoever holds its lock drives the train. Its columns have no index and the page is
-- nearly empty, so that each update stays on it (heap-only tuples).
CREATE TABLE needtoknow.head (
	one         boolean     PRIMARY KEY DEFAULT true CHECK (one),
	size        bigint      NOT NULL CHECK (size >= 0),          -- entries
	frontier    bytea       NOT NULL,                            -- RFC 6962: roots of the maximal perfect subtrees, 32 bytes each, largest first
	recorded_at timestamptz NOT NULL,                            -- the last train's time; time never goes back
	train_id    bytea       NOT NULL CHECK (length(train_id) = 16)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
INSERT INTO needtoknow.head (size, frontier, recorded_at, train_id)
VALUES (0, '', clock_timestamp(), decode(repeat('00', 16), 'hex'));

-- One packed row a train: LIMITS are set by indices, not by bytes. Entry number first_index + n is the n-th body.
CREATE TABLE needtoknow.ledger (
	first_index bigint      NOT NULL,
	count       integer     NOT NULL CHECK (count > 0),
	recorded_at timestamptz NOT NULL,
	kinds       bigint      NOT NULL,   -- bit k: an entry of EntryKind k is in it; a filter skips rows by it
	train_id    bytea       NOT NULL,
	bodies      bytea       NOT NULL,   -- each entry's bytes behind their u16 big-endian length (C2SP tlog-tiles, entry bundles)
	PRIMARY KEY (first_index)
) PARTITION BY RANGE (first_index);
ALTER TABLE needtoknow.ledger ALTER COLUMN bodies SET STORAGE EXTERNAL; -- hashes and random ids do not compress
CREATE INDEX ledger_recorded_at ON needtoknow.ledger USING brin (recorded_at);

-- Partitions are aligned to tiles of 256 entries.
CREATE TABLE needtoknow.ledger_0 PARTITION OF needtoknow.ledger FOR VALUES FROM (0) TO (67108864);
CREATE TABLE needtoknow.ledger_1 PARTITION OF needtoknow.ledger FOR VALUES FROM (67108864) TO (134217728);

CREATE FUNCTION needtoknow.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON needtoknow.ledger FOR EACH ROW EXECUTE FUNCTION needtoknow.refuse_change();
CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON needtoknow.ledger FOR EACH STATEMENT EXECUTE FUNCTION needtoknow.refuse_change();
-- TRUNCATE of a partition passes by its parent's trigger.
CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON needtoknow.ledger_0 FOR EACH STATEMENT EXECUTE FUNCTION needtoknow.refuse_change();
CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON needtoknow.ledger_1 FOR EACH STATEMENT EXECUTE FUNCTION needtoknow.refuse_change();

-- The keys that each train wrote, so that a call decided on what was read before it is decided again. Kept for minutes.
CREATE TABLE needtoknow.train_keys (
	train_number bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	recorded_at  timestamptz NOT NULL,
	keys         bytea       NOT NULL   -- 8 bytes each: keyed hashes, which say nothing about whom they are of
);

-- Who an entry that belongs to no disclosure is about. Outside the leaves, so that it can be cleared.
CREATE TABLE needtoknow.entry_reference (
	ledger_index  bigint PRIMARY KEY,
	disclosure_id uuid,
	subject_id    text,
	booking_id    text,
	recipient_id  text,
	remark        text          -- the caller's free text
);
CREATE INDEX entry_reference_disclosure ON needtoknow.entry_reference (disclosure_id) WHERE disclosure_id IS NOT NULL;
CREATE INDEX entry_reference_subject ON needtoknow.entry_reference (subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX entry_reference_booking ON needtoknow.entry_reference (booking_id) WHERE booking_id IS NOT NULL;
CREATE INDEX entry_reference_recipient ON needtoknow.entry_reference (recipient_id) WHERE recipient_id IS NOT NULL;

-- One row: from it come the keys of disclosure ids, page tokens and train keys, shared by all workers.
CREATE TABLE needtoknow.secret (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	key bytea   NOT NULL CHECK (length(key) = 32)
);
INSERT INTO needtoknow.secret (key)
VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- A statement of a train that touched another number of rows than it should would break a promise silently; this breaks the train.
CREATE FUNCTION needtoknow.require(touched bigint, expected bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF touched <> expected THEN
		RAISE EXCEPTION 'a train touched % rows, not %', touched, expected USING ERRCODE = 'P0001';
	END IF;
END
$$;

GRANT SELECT, UPDATE ON needtoknow.head TO :"state_role";
GRANT SELECT, INSERT ON needtoknow.ledger TO :"state_role";
GRANT SELECT, INSERT, DELETE ON needtoknow.train_keys TO :"state_role";
GRANT SELECT, INSERT, UPDATE ON needtoknow.entry_reference TO :"state_role";
GRANT SELECT ON needtoknow.secret TO :"state_role";
GRANT SELECT ON needtoknow.head, needtoknow.ledger, needtoknow.entry_reference TO :"audit_role";
