-- The life of a disclosure: it moves, is revoked or goes to another; recipients are suspended and lose devices; devices that each get all.

-- What was asked by other methods than Share and answered OK: the request's keyed hash (as in disclosure.disclosure_id), a digest of what was
-- asked, and from what the answer is made again. Kept for 30 days, or as long as its disclosures live.
CREATE TABLE needtoknow.request (
	request_key    uuid        PRIMARY KEY,
	request_digest bytea       NOT NULL CHECK (length(request_digest) = 16),
	disclosure_ids uuid[]      NOT NULL,
	ledger_indices bigint[]    NOT NULL, -- the receipts, in the answer's order
	recorded_at    timestamptz NOT NULL
);
CREATE INDEX request_disclosures ON needtoknow.request USING gin (disclosure_ids);

-- The apps of each recipient, by the name in their certificates, from when they were first seen.
CREATE TABLE needtoknow.device (
	recipient_id  text        NOT NULL,
	device        text        NOT NULL,
	first_seen_at timestamptz NOT NULL,
	revoked_at    timestamptz,          -- a lost phone: it gets withdrawals, and nothing else ever again
	changed_index bigint,               -- of the entry that revoked it
	cleared_at    timestamptz,          -- it has been ordered to delete all that it was sent of what was live then
	PRIMARY KEY (recipient_id, device)
);
CREATE INDEX device_changed ON needtoknow.device (changed_index) WHERE changed_index IS NOT NULL;
CREATE INDEX device_uncleared ON needtoknow.device (recipient_id, device) WHERE revoked_at IS NOT NULL AND cleared_at IS NULL;
-- What the sweeper looks for every second.
CREATE INDEX recipient_suspended ON needtoknow.recipient (recipient_id) WHERE suspended;
CREATE INDEX recipient_agreement ON needtoknow.recipient (agreement_until);
-- Those that were sent something before they were kept here.
INSERT INTO needtoknow.device (recipient_id, device, first_seen_at)
SELECT s.recipient_id, s.device, min(s.sent_at) FROM needtoknow.sent AS s GROUP BY s.recipient_id, s.device;

-- Columns that are added have defaults, so that the version before this goes on while a rolling upgrade is under way.

-- '': for whichever device comes first (ANY_DEVICE). With EVERY_DEVICE each known device has a row of its own, which goes when it was sent,
-- and the row of '' stays until the end, for devices that are still to come.
ALTER TABLE needtoknow.due ADD COLUMN device text NOT NULL DEFAULT '';
ALTER TABLE needtoknow.due DROP CONSTRAINT due_pkey;
ALTER TABLE needtoknow.due ADD PRIMARY KEY (recipient_id, device, due_at, disclosure_id, release);

-- The row of `due` that it was sent from: '' or, with EVERY_DEVICE, its device. A repeat goes to the same: to any, or to that one.
ALTER TABLE needtoknow.sent ADD COLUMN for_device text NOT NULL DEFAULT '';
-- It no longer says what holds (its times have moved, or a value of it has changed): it is due again, whatever is acknowledged meanwhile.
ALTER TABLE needtoknow.sent ADD COLUMN reopened boolean NOT NULL DEFAULT false;
DROP INDEX needtoknow.sent_open;
CREATE INDEX sent_open ON needtoknow.sent (recipient_id, for_device, free_at) WHERE open;

-- As in 0004_tree.sql, and what was asked of the subject's disclosures.
CREATE OR REPLACE FUNCTION needtoknow.forget(subject text) RETURNS boolean LANGUAGE plpgsql AS $$
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
	UPDATE needtoknow.request AS q SET request_digest = decode(repeat('00', 16), 'hex') WHERE q.disclosure_ids && ARRAY(
		SELECT d.disclosure_id FROM needtoknow.disclosure AS d WHERE d.subject_id = subject);
	UPDATE needtoknow.disclosure AS d SET subject_id = NULL, booking_id = NULL, request_digest = decode(repeat('00', 16), 'hex')
		WHERE d.subject_id = subject;
	UPDATE needtoknow.right_in_force AS f SET ledger_index = NULL, raised_at = '-infinity' WHERE f.subject_id = subject;
	RETURN forgotten;
END
$$;

-- By which rare kinds a train carries: who looks for one passes by the trains that carry others, however many they are.
DROP INDEX needtoknow.ledger_rare;
CREATE INDEX ledger_rare ON needtoknow.ledger ((kinds & ~1818::bigint), first_index) WHERE kinds & ~1818::bigint <> 0;

GRANT SELECT, INSERT ON needtoknow.request TO :"state_role";
GRANT UPDATE (request_digest) ON needtoknow.request TO :"state_role"; -- forget()
GRANT SELECT, INSERT, UPDATE ON needtoknow.device TO :"state_role";
GRANT UPDATE ON needtoknow.due TO :"state_role";
GRANT SELECT ON needtoknow.device TO :"audit_role";
