-- Clients' rights: what they asked for and when it is to be answered, what holds, who was told.

-- The register of requests (GDPR art. 12(3), 5(2)). Whoever asks by its request id finds it through needtoknow.request.
CREATE TABLE needtoknow.rights_request (
	request_key      uuid        PRIMARY KEY,
	ledger_index     bigint      NOT NULL,            -- its first entry
	caller           text        NOT NULL,            -- SPIFFE id
	request_id       text,                            -- NULL once the subject is forgotten
	subject_id       text,                            -- likewise
	kind             smallint    NOT NULL,            -- needtoknow.v1.RightsRequestKind
	purpose          text        NOT NULL DEFAULT '',
	columns          text[]      NOT NULL DEFAULT '{}',
	channel          smallint    NOT NULL,            -- needtoknow.v1.Channel
	received_at      timestamptz NOT NULL,
	began_at         timestamptz NOT NULL,            -- the database's time before anything was done for it
	due_at           timestamptz NOT NULL,
	extended_because text,
	state            smallint    NOT NULL,            -- needtoknow.v1.RightsRequestState
	answered_at      timestamptz
);
CREATE INDEX rights_request_open ON needtoknow.rights_request (due_at, request_key) WHERE state = 1;
-- A restriction, or its lifting, of which not all devices are told.
CREATE INDEX rights_request_untold ON needtoknow.rights_request (request_key) WHERE state = 1 AND kind IN (7, 8);
CREATE INDEX rights_request_due ON needtoknow.rights_request (due_at, request_key);
CREATE INDEX rights_request_subject ON needtoknow.rights_request (subject_id, due_at, request_key) WHERE subject_id IS NOT NULL;

-- What the company has still to be asked for, or to be told: of an objection or a consent, the contacts under which its client could come
-- back with another number (needtoknow.suppression).
ALTER TABLE needtoknow.right_in_force ADD COLUMN contacts_read boolean NOT NULL DEFAULT false;
CREATE INDEX right_contacts ON needtoknow.right_in_force (subject_id) WHERE kind IN (3, 4) AND NOT contacts_read;
-- An objection under art. 21(1) holds at once; whether it was weighed, and stands.
ALTER TABLE needtoknow.right_in_force ADD COLUMN upheld boolean NOT NULL DEFAULT false;

-- Objections and withdrawn consents by contact, so that a client who comes back under another number is not mailed by accident: keyed
-- hashes of mail addresses and telephone numbers, of no use to whoever does not have the same contact. They outlive an erasure.
CREATE TABLE needtoknow.suppression (
	contact    bytea       NOT NULL CHECK (length(contact) = 32),
	kind       smallint    NOT NULL CHECK (kind IN (3, 4)),   -- as right_in_force.kind
	purpose    text        NOT NULL,
	subject_id text,                                          -- whose right it was; NULL once forgotten
	raised_at  timestamptz NOT NULL,
	PRIMARY KEY (contact, kind, purpose)
);
CREATE INDEX suppression_subject ON needtoknow.suppression (subject_id) WHERE subject_id IS NOT NULL;

-- What each device that was sent something was told last of a restriction (GDPR art. 18).
CREATE TABLE needtoknow.restriction_notice (
	disclosure_id uuid        NOT NULL,
	device        text        NOT NULL,
	recipient_id  text        NOT NULL,
	lifted        boolean     NOT NULL,
	recorded_at   timestamptz NOT NULL,
	ledger_index  bigint      NOT NULL,
	leaf_hash     bytea       NOT NULL,   -- of that entry, for the receipt
	PRIMARY KEY (disclosure_id, device)
);
CREATE INDEX restriction_notice_device ON needtoknow.restriction_notice (recipient_id, device, ledger_index);

-- Erasures (GDPR art. 17): recorded here first, then asked of the company until it answers, then the key goes.
CREATE TABLE needtoknow.erasure (
	request_key  uuid        PRIMARY KEY,
	subject_id   text,                    -- NULL once forgotten
	state        smallint    NOT NULL CHECK (state BETWEEN 1 AND 3), -- 1 to be asked of the company, 2 answered, 3 forgotten
	recorded_at  timestamptz NOT NULL,
	forget_after timestamptz NOT NULL,    -- the subject's key stays at least until then
	ledger_index bigint      NOT NULL     -- of its first entry
);
CREATE INDEX erasure_pending ON needtoknow.erasure (recorded_at, request_key) WHERE state = 1;
CREATE INDEX erasure_to_forget ON needtoknow.erasure (forget_after, request_key) WHERE state = 2;
CREATE INDEX erasure_subject ON needtoknow.erasure (subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX erasure_recorded ON needtoknow.erasure (ledger_index) WHERE subject_id IS NOT NULL;
-- What the company answered; names, never values.
CREATE TABLE needtoknow.erasure_column (
	request_key uuid        NOT NULL,
	place       smallint    NOT NULL,     -- in the company's order, from 0
	column_name text        NOT NULL,
	held        boolean     NOT NULL,
	ground      text,
	law         text,
	since       timestamptz,
	until       timestamptz,
	PRIMARY KEY (request_key, place)
);

-- Columns of the company's whose time is over (GDPR art. 5(1)(e)), that it is being asked to erase. Recorded first, so that a crash between
-- its answer and the entry that says so leaves out neither.
CREATE TABLE needtoknow.column_sweep (
	subject_id  text        PRIMARY KEY,
	request_key uuid        NOT NULL,
	columns     text[]      NOT NULL,     -- as the company's retention_due() names them
	recorded_at timestamptz NOT NULL
);

-- As in 0005_life.sql, with the column itself, without which an index on an expression is never read alone.
DROP INDEX needtoknow.ledger_rare;
CREATE INDEX ledger_rare ON needtoknow.ledger ((kinds & ~1818::bigint), first_index) INCLUDE (kinds) WHERE kinds & ~1818::bigint <> 0;

GRANT SELECT, INSERT, UPDATE ON needtoknow.rights_request, needtoknow.restriction_notice, needtoknow.erasure TO :"state_role";
GRANT SELECT, INSERT ON needtoknow.erasure_column TO :"state_role";
GRANT SELECT, INSERT, UPDATE, DELETE ON needtoknow.suppression TO :"state_role";
GRANT SELECT, INSERT, DELETE ON needtoknow.column_sweep TO :"state_role";
GRANT UPDATE ON needtoknow.right_in_force TO :"state_role";
GRANT UPDATE (disclosure_ids, ledger_indices) ON needtoknow.request TO :"state_role";
GRANT SELECT ON needtoknow.rights_request, needtoknow.restriction_notice, needtoknow.erasure, needtoknow.erasure_column TO :"audit_role";

-- As in 0005_life.sql, and what the subject asked for. The register keeps the request without them; so does the list of suppressed contacts.
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
	IF EXISTS (SELECT FROM (SELECT x.state FROM needtoknow.erasure AS x WHERE x.subject_id = subject OFFSET 0) AS e
			WHERE e.state = 1) THEN
		RAISE EXCEPTION 'the company''s database has not answered yet that it erased this subject' USING ERRCODE = 'object_in_use',
			HINT = 'It is asked until it does.';
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
	UPDATE needtoknow.request AS q SET request_digest = decode(repeat('00', 16), 'hex') WHERE q.request_key = ANY (ARRAY(
		SELECT a.request_key FROM needtoknow.rights_request AS a WHERE a.subject_id = subject));
	-- An objection that nobody has weighed is answered by there being nothing left to weigh.
	UPDATE needtoknow.rights_request AS a SET subject_id = NULL, request_id = NULL, state = CASE a.state WHEN 1 THEN 2 ELSE a.state END,
		answered_at = coalesce(a.answered_at, clock_timestamp()),
		extended_because = CASE WHEN a.extended_because IS NOT NULL THEN '' END
		WHERE a.subject_id = subject;
	UPDATE needtoknow.erasure AS e SET subject_id = NULL, state = 3 WHERE e.subject_id = subject;
	-- What the company has not erased yet it names again when it is asked what is due.
	DELETE FROM needtoknow.column_sweep AS s WHERE s.subject_id = subject;
	UPDATE needtoknow.suppression AS s SET subject_id = NULL WHERE s.subject_id = subject;
	UPDATE needtoknow.disclosure AS d SET subject_id = NULL, booking_id = NULL, request_digest = decode(repeat('00', 16), 'hex')
		WHERE d.subject_id = subject;
	UPDATE needtoknow.right_in_force AS f SET ledger_index = NULL, raised_at = '-infinity' WHERE f.subject_id = subject;
	RETURN forgotten;
END
$$;
