-- The life of a disclosure: it moves, is revoked or goes to another; recipients are suspended and lose devices; devices that each get all.

-- What was asked by other methods than Share and answered OK: the request's keyed hash (as in disclosure.disclosure_id), a digest of what was
-- asked, and from what the answer is made again. Kept for 30 days, or as long as its disclosures live.
CREATE TABLE needtoknow.request (
	request_key    uuid        PRIMARY KEY,
	request_digest bytea       NOT NULL CHECK (length(request_digest) = 16),
	subject_id     text,                 -- NULL once cleared, or of no one
	disclosure_ids uuid[]      NOT NULL,
	ledger_indices bigint[]    NOT NULL, -- the receipts, in the answer's order
	recorded_at    timestamptz NOT NULL
);
CREATE INDEX request_subject ON needtoknow.request (subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX request_recorded_at ON needtoknow.request (recorded_at);

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
CREATE INDEX device_revoked ON needtoknow.device (changed_index) WHERE revoked_at IS NOT NULL;
CREATE INDEX device_uncleared ON needtoknow.device (recipient_id, device) WHERE revoked_at IS NOT NULL AND cleared_at IS NULL;
-- What the sweeper looks for every second.
CREATE INDEX recipient_suspended ON needtoknow.recipient (recipient_id) WHERE suspended;
CREATE INDEX recipient_agreement ON needtoknow.recipient (agreement_until);
-- Those that were sent something before they were kept here.
INSERT INTO needtoknow.device (recipient_id, device, first_seen_at)
SELECT s.recipient_id, s.device, min(s.sent_at) FROM needtoknow.sent AS s GROUP BY s.recipient_id, s.device;

-- '': for whichever device comes first (ANY_DEVICE). With EVERY_DEVICE each known device has a row of its own, which goes when it was sent,
-- and the row of '' stays until the end, for devices that are still to come.
ALTER TABLE needtoknow.due ADD COLUMN device text NOT NULL DEFAULT '';
ALTER TABLE needtoknow.due DROP CONSTRAINT due_pkey;
ALTER TABLE needtoknow.due ADD PRIMARY KEY (recipient_id, device, due_at, disclosure_id, release);
ALTER TABLE needtoknow.due ALTER COLUMN device DROP DEFAULT;

-- The row of `due` that it was sent from: '' or, with EVERY_DEVICE, its device. A repeat goes to the same: to any, or to that one.
ALTER TABLE needtoknow.sent ADD COLUMN for_device text NOT NULL DEFAULT '';
ALTER TABLE needtoknow.sent ALTER COLUMN for_device DROP DEFAULT;

GRANT SELECT, INSERT, UPDATE, DELETE ON needtoknow.request TO :"state_role";
GRANT SELECT, INSERT, UPDATE ON needtoknow.device TO :"state_role";
GRANT UPDATE ON needtoknow.due TO :"state_role";
GRANT SELECT ON needtoknow.device TO :"audit_role";
