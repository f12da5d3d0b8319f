-- Recipients, disclosures, their queues, and what is known of subjects. No table holds a value of a client's.

CREATE TABLE needtoknow.policy (
	policy_number integer PRIMARY KEY,
	digest        bytea   NOT NULL UNIQUE CHECK (length(digest) = 32),
	text          text    NOT NULL
);
-- The policy in force is that of the last activation.
CREATE TABLE needtoknow.policy_activation (
	ledger_index  bigint      PRIMARY KEY,
	policy_number integer     NOT NULL REFERENCES needtoknow.policy,
	activated_at  timestamptz NOT NULL,
	activated_by  text        NOT NULL
);

CREATE TABLE needtoknow.recipient (
	recipient_id    text        PRIMARY KEY,
	kind            smallint    NOT NULL CHECK (kind IN (1, 2)),   -- needtoknow.v1.RecipientKind
	display_name    text        NOT NULL,
	services        text[]      NOT NULL,
	agreement_ref   text        NOT NULL,
	agreement_from  timestamptz NOT NULL,
	agreement_until timestamptz NOT NULL,                          -- infinity: without end
	deliver_to      smallint    NOT NULL,                          -- needtoknow.v1.DeliverTo
	suspended       boolean     NOT NULL DEFAULT false,
	changed_index   bigint      NOT NULL
);

-- What makes a subject's entries theirs. Once the row is gone the ledger cannot be joined to a person.
CREATE TABLE needtoknow.subject_key (
	subject_id text  PRIMARY KEY,
	pseudonym  bytea NOT NULL CHECK (length(pseudonym) = 16),
	key        bytea NOT NULL CHECK (length(key) = 32)
);

-- Rights that a subject has exercised and that hold now.
CREATE TABLE needtoknow.right_in_force (
	subject_id   text        NOT NULL,
	kind         smallint    NOT NULL CHECK (kind BETWEEN 1 AND 4), -- 1 erasure, 2 restriction, 3 objection, 4 consent withdrawn
	purpose      text        NOT NULL DEFAULT '',                   -- of an objection or a consent; '': every one that may be objected to
	raised_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	ledger_index bigint,
	PRIMARY KEY (subject_id, kind, purpose)
);

-- No foreign keys here: the trains that write it have just read what they would check, and each would cost a look-up a row.
CREATE TABLE needtoknow.disclosure (
	disclosure_id  uuid        PRIMARY KEY,  -- keyed hash of caller and request id, so the primary key finds a repeated request
	subject_id     text,
	booking_id     text,
	recipient_id   text        NOT NULL,
	service        text        NOT NULL,
	policy_number  integer     NOT NULL,     -- the rule under which it was shared
	state          smallint    NOT NULL,     -- needtoknow.v1.DisclosureState
	withheld       integer     NOT NULL DEFAULT 0, -- bit n: release n was refused when it was due
	starts_at      timestamptz NOT NULL,
	ends_at        timestamptz NOT NULL,
	expires_at     timestamptz NOT NULL,
	created_at     timestamptz NOT NULL,
	request_digest bytea       NOT NULL,     -- 16 bytes: what was asked, to tell a repeat from another request of that id
	shared_index   bigint      NOT NULL,
	ended_index    bigint
) WITH (fillfactor = 90);
CREATE INDEX disclosure_booking ON needtoknow.disclosure (booking_id, shared_index);
CREATE INDEX disclosure_subject ON needtoknow.disclosure (subject_id, shared_index);
CREATE INDEX disclosure_recipient ON needtoknow.disclosure (recipient_id, shared_index);
CREATE INDEX disclosure_active ON needtoknow.disclosure (recipient_id, shared_index) WHERE state = 1;
CREATE INDEX disclosure_expiry ON needtoknow.disclosure (expires_at) WHERE state = 1;

-- What is not yet sent, in the order in which each recipient gets it. Being due is computed, never written.
CREATE TABLE needtoknow.due (
	recipient_id  text        NOT NULL,
	due_at        timestamptz NOT NULL,
	disclosure_id uuid        NOT NULL,
	release       smallint    NOT NULL,   -- its place in the policy, from 0
	PRIMARY KEY (recipient_id, due_at, disclosure_id, release)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.5);

-- Each sending. `open` until it is acknowledged or withdrawn: then it may be repeated from free_at on.
CREATE TABLE needtoknow.sent (
	disclosure_id      uuid        NOT NULL,
	release            smallint    NOT NULL,
	serial             smallint    NOT NULL,  -- grows with each delivery_id of this release
	ledger_index       bigint      NOT NULL,
	recipient_id       text        NOT NULL,
	device             text        NOT NULL,
	sent_at            timestamptz NOT NULL,
	free_at            timestamptz NOT NULL,
	acknowledged_index bigint,
	open               boolean     NOT NULL,
	commitment         bytea       NOT NULL,  -- the entry's, to tell a repeat from a correction
	PRIMARY KEY (disclosure_id, release, serial, ledger_index)
);
CREATE INDEX sent_open ON needtoknow.sent (recipient_id, free_at) WHERE open;

-- The order to delete, to each device that was sent something.
CREATE TABLE needtoknow.withdrawal (
	disclosure_id   uuid        NOT NULL,
	device          text        NOT NULL,
	recipient_id    text        NOT NULL,
	cause           smallint    NOT NULL,   -- needtoknow.v1.WithdrawalCause
	recorded_at     timestamptz NOT NULL,
	delete_by       timestamptz NOT NULL,
	ledger_index    bigint      NOT NULL,
	leaf_hash       bytea       NOT NULL,   -- of that entry, for the receipt
	confirmed_index bigint,
	outcome         smallint,               -- needtoknow.v1.DeletionOutcome
	ground          text,
	retained_until  timestamptz,
	PRIMARY KEY (disclosure_id, device)
);
CREATE INDEX withdrawal_unconfirmed ON needtoknow.withdrawal (recipient_id, device, ledger_index) WHERE confirmed_index IS NULL;

GRANT SELECT, INSERT ON needtoknow.policy, needtoknow.policy_activation TO :"state_role";
GRANT SELECT, INSERT, UPDATE ON needtoknow.recipient, needtoknow.disclosure, needtoknow.sent, needtoknow.withdrawal TO :"state_role";
GRANT SELECT, INSERT, DELETE ON needtoknow.due, needtoknow.right_in_force, needtoknow.subject_key TO :"state_role";
GRANT SELECT ON needtoknow.policy, needtoknow.policy_activation, needtoknow.recipient, needtoknow.disclosure, needtoknow.sent,
	needtoknow.withdrawal, needtoknow.right_in_force, needtoknow.subject_key TO :"audit_role";
