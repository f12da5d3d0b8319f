-- A look-up is a LATERAL with OFFSET 0 and an UPDATE goes by ctid: joined to unnest() directly, a plan that was made while a table was
-- (nearly) empty walks the whole index for each row, and a generic plan stays. What a partial index is made for (`open`, `state`) is asked
-- outside, or the planner would take that index to be as good as the key. The head's lock keeps every ctid in its place.

-- name: head_lock
-- A statement of its own: locking and reading the rest in one returned rows from before the wait.
SELECT size, frontier, recorded_at, train_id FROM needtoknow.head FOR UPDATE;

-- name: head_news
-- The train's time, read after the lock, and the keys that other workers' trains wrote since the last one that we know of; no more of
-- them than can be looked at under the lock.
SELECT clock_timestamp(), (SELECT coalesce(max(m.train_number), 0) FROM needtoknow.train_keys AS m), k.train_number, k.keys
FROM (SELECT 1) AS one LEFT JOIN LATERAL (SELECT * FROM needtoknow.train_keys AS t WHERE t.train_number > $1::bigint
	ORDER BY t.train_number LIMIT 513) AS k ON true
ORDER BY k.train_number;

-- name: head_move
UPDATE needtoknow.head SET size = $1::bigint, frontier = $2::bytea, recorded_at = $3::timestamptz, train_id = $4::bytea;

-- name: ledger_append
INSERT INTO needtoknow.ledger (first_index, count, recorded_at, kinds, train_id, bodies, marks, rare)
VALUES ($1::bigint, $2::integer, $3::timestamptz, $4::bigint, $5::bytea, $6::bytea, $7::integer[], $8::integer[]);

-- name: ledger_probe
-- Could it be written? Rolled back.
INSERT INTO needtoknow.ledger (first_index, count, recorded_at, kinds, train_id, bodies)
SELECT size, 1, recorded_at, 0, train_id, ''::bytea FROM needtoknow.head;

-- name: train_keys_append
INSERT INTO needtoknow.train_keys (recorded_at, keys) VALUES ($1::timestamptz, $2::bytea) RETURNING train_number;

-- name: train_keys_forget
DELETE FROM needtoknow.train_keys WHERE recorded_at < clock_timestamp() - interval '10 minutes';

-- name: train_keys_last
SELECT coalesce(max(train_number), 0) FROM needtoknow.train_keys;

-- name: train_find
-- Did the train whose COMMIT was not answered arrive? Asked under the head's lock; the update makes the answer as durable as a commit.
UPDATE needtoknow.head SET train_id = train_id RETURNING train_id = $1::bytea
	OR EXISTS (SELECT FROM needtoknow.ledger AS l WHERE l.first_index = $2::bigint AND l.train_id = $1::bytea);

-- name: durability
-- Was a COMMIT of ours as durable as an OK must be? Where it was not, it is from now on, for this connection. `local` and
-- `remote_write` do not wait until a synchronous standby has it on its disk.
SELECT current_setting('synchronous_commit'), current_setting('fsync') = 'on',
	set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply'
		ELSE 'on' END, false);

-- name: train_notify
SELECT pg_notify('needtoknow', $1::text);

-- name: write_subject_key
INSERT INTO needtoknow.subject_key (subject_id, pseudonym, key)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[]);

-- name: write_recipient
-- Arrays of arrays do not unnest by row: a recipient's services come as one text, a line each.
INSERT INTO needtoknow.recipient AS r (recipient_id, kind, display_name, services, agreement_ref, agreement_from, agreement_until,
	deliver_to, changed_index)
SELECT u.recipient_id, u.kind, u.display_name, coalesce(string_to_array(u.services, E'\n'), '{}'), u.agreement_ref, u.agreement_from,
	u.agreement_until, u.deliver_to, u.changed_index
FROM unnest($1::text[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::smallint[],
	$9::bigint[]) AS u(recipient_id, kind, display_name, services, agreement_ref, agreement_from, agreement_until, deliver_to,
	changed_index)
ON CONFLICT (recipient_id) DO UPDATE SET kind = excluded.kind, display_name = excluded.display_name, services = excluded.services,
	agreement_ref = excluded.agreement_ref, agreement_from = excluded.agreement_from, agreement_until = excluded.agreement_until,
	deliver_to = excluded.deliver_to, changed_index = excluded.changed_index;

-- name: write_policy
INSERT INTO needtoknow.policy (policy_number, digest, text)
SELECT * FROM unnest($1::integer[], $2::bytea[], $3::text[]);

-- name: write_policy_activation
INSERT INTO needtoknow.policy_activation (ledger_index, policy_number, activated_at, activated_by)
SELECT * FROM unnest($1::bigint[], $2::integer[], $3::timestamptz[], $4::text[]);

-- name: write_disclosure
INSERT INTO needtoknow.disclosure (disclosure_id, subject_id, booking_id, recipient_id, service, policy_number, state, starts_at,
	ends_at, expires_at, created_at, request_digest, shared_index)
SELECT u.disclosure_id, u.subject_id, u.booking_id, u.recipient_id, u.service, u.policy_number, 1, u.starts_at, u.ends_at, u.expires_at,
	u.created_at, u.request_digest, u.shared_index
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::timestamptz[], $8::timestamptz[],
	$9::timestamptz[], $10::timestamptz[], $11::bytea[], $12::bigint[]) AS u(disclosure_id, subject_id, booking_id, recipient_id,
	service, policy_number, starts_at, ends_at, expires_at, created_at, request_digest, shared_index);

-- name: write_disclosure_end
WITH ended AS (
	UPDATE needtoknow.disclosure AS d SET state = u.state, ended_index = u.ended_index
	FROM (SELECT n.state, n.ended_index, e.ctid FROM unnest($1::uuid[], $2::smallint[], $3::bigint[]) AS n(disclosure_id, state, ended_index)
		CROSS JOIN LATERAL (SELECT x.ctid, x.state FROM needtoknow.disclosure AS x WHERE x.disclosure_id = n.disclosure_id OFFSET 0) AS e
		WHERE e.state = 1) AS u
	WHERE d.ctid = u.ctid
	RETURNING 1)
SELECT needtoknow.require((SELECT count(*) FROM ended), cardinality($1::uuid[]));

-- name: write_disclosure_moved
WITH moved AS (
	UPDATE needtoknow.disclosure AS d SET starts_at = u.starts_at, ends_at = u.ends_at, expires_at = u.expires_at
	FROM (SELECT n.starts_at, n.ends_at, n.expires_at, e.ctid
		FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[]) AS n(disclosure_id, starts_at, ends_at, expires_at)
		CROSS JOIN LATERAL (SELECT x.ctid, x.state FROM needtoknow.disclosure AS x WHERE x.disclosure_id = n.disclosure_id OFFSET 0) AS e
		WHERE e.state = 1) AS u
	WHERE d.ctid = u.ctid
	RETURNING 1)
SELECT needtoknow.require((SELECT count(*) FROM moved), cardinality($1::uuid[]));

-- name: write_disclosure_withhold
UPDATE needtoknow.disclosure AS d SET withheld = d.withheld | u.releases
FROM (SELECT n.releases, e.ctid
	FROM (SELECT disclosure_id, bit_or(release) AS releases FROM unnest($1::uuid[], $2::integer[]) AS m(disclosure_id, release)
		GROUP BY disclosure_id) AS n
	CROSS JOIN LATERAL (SELECT x.ctid FROM needtoknow.disclosure AS x WHERE x.disclosure_id = n.disclosure_id OFFSET 0) AS e) AS u
WHERE d.ctid = u.ctid;

-- name: write_device
-- An app that is seen for the first time. With EVERY_DEVICE (2) it gets what the others get, or have got.
WITH seen AS (
	INSERT INTO needtoknow.device (recipient_id, device, first_seen_at)
	SELECT u.recipient_id, u.device, min(u.first_seen_at) FROM unnest($1::text[], $2::text[], $3::timestamptz[])
		AS u(recipient_id, device, first_seen_at) GROUP BY u.recipient_id, u.device
	ON CONFLICT DO NOTHING RETURNING recipient_id, device)
INSERT INTO needtoknow.due (recipient_id, device, due_at, disclosure_id, release)
SELECT s.recipient_id, s.device, d.due_at, d.disclosure_id, d.release FROM seen AS s
CROSS JOIN LATERAL (SELECT x.deliver_to FROM needtoknow.recipient AS x WHERE x.recipient_id = s.recipient_id OFFSET 0) AS r
CROSS JOIN LATERAL (SELECT e.due_at, e.disclosure_id, e.release FROM needtoknow.due AS e WHERE e.recipient_id = s.recipient_id
	AND e.device = '' AND r.deliver_to = 2 OFFSET 0) AS d;

-- name: write_every_device
-- From now on each device gets all of what nobody was sent yet; what was sent stays its device's.
WITH sent AS (
	UPDATE needtoknow.sent AS s SET for_device = s.device
	FROM (SELECT e.ctid FROM unnest($1::text[]) AS n(recipient_id)
		CROSS JOIN LATERAL (SELECT x.disclosure_id, x.state FROM needtoknow.disclosure AS x WHERE x.recipient_id = n.recipient_id
			OFFSET 0) AS d
		CROSS JOIN LATERAL (SELECT x.ctid, x.for_device FROM needtoknow.sent AS x WHERE x.disclosure_id = d.disclosure_id OFFSET 0) AS e
		WHERE d.state = 1 AND e.for_device = '') AS u
	WHERE s.ctid = u.ctid)
INSERT INTO needtoknow.due (recipient_id, device, due_at, disclosure_id, release)
SELECT n.recipient_id, v.device, e.due_at, e.disclosure_id, e.release FROM unnest($1::text[]) AS n(recipient_id)
CROSS JOIN LATERAL (SELECT x.device FROM needtoknow.device AS x WHERE x.recipient_id = n.recipient_id AND x.revoked_at IS NULL
	OFFSET 0) AS v
CROSS JOIN LATERAL (SELECT * FROM needtoknow.due AS x WHERE x.recipient_id = n.recipient_id AND x.device = '' OFFSET 0) AS e
ON CONFLICT DO NOTHING;

-- name: write_any_device
-- From now on one device is enough: what one of them was sent is due to none, and what one has not acknowledged may go to any.
WITH sent AS (
	UPDATE needtoknow.sent AS s SET for_device = ''
	FROM (SELECT e.ctid FROM unnest($1::text[]) AS n(recipient_id)
		CROSS JOIN LATERAL (SELECT x.disclosure_id, x.state FROM needtoknow.disclosure AS x WHERE x.recipient_id = n.recipient_id
			OFFSET 0) AS d
		CROSS JOIN LATERAL (SELECT x.ctid, x.for_device FROM needtoknow.sent AS x WHERE x.disclosure_id = d.disclosure_id OFFSET 0) AS e
		WHERE d.state = 1 AND e.for_device <> '') AS u
	WHERE s.ctid = u.ctid)
DELETE FROM needtoknow.due WHERE ctid = ANY (ARRAY(
	SELECT e.ctid FROM unnest($1::text[]) AS n(recipient_id)
	CROSS JOIN LATERAL (SELECT x.ctid, x.device, x.disclosure_id, x.release FROM needtoknow.due AS x WHERE x.recipient_id = n.recipient_id
		OFFSET 0) AS e
	LEFT JOIN LATERAL (SELECT true AS sent FROM needtoknow.sent AS x WHERE x.disclosure_id = e.disclosure_id AND x.release = e.release
		LIMIT 1) AS g ON true
	WHERE e.device <> '' OR g.sent));

-- name: write_due
-- With EVERY_DEVICE (2) each known device gets a row of its own beside that of ''.
INSERT INTO needtoknow.due (recipient_id, device, due_at, disclosure_id, release)
SELECT u.recipient_id, v.device, u.due_at, u.disclosure_id, u.release
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[], $5::smallint[]) AS u(recipient_id, device, due_at, disclosure_id, release)
CROSS JOIN LATERAL (SELECT u.device UNION ALL
	SELECT x.device FROM (SELECT y.recipient_id FROM needtoknow.recipient AS y WHERE y.recipient_id = u.recipient_id AND y.deliver_to = 2
			OFFSET 0) AS r
		CROSS JOIN LATERAL (SELECT y.device FROM needtoknow.device AS y WHERE y.recipient_id = r.recipient_id AND y.revoked_at IS NULL
			OFFSET 0) AS x
		WHERE u.device = '' OFFSET 0) AS v;

-- name: write_due_gone
-- Exactly these rows: one that is no longer there was claimed by somebody else, and sending it again would be sending it twice.
WITH gone AS (
	DELETE FROM needtoknow.due WHERE ctid = ANY (ARRAY(
		SELECT d.ctid FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[], $5::smallint[])
			AS u(recipient_id, device, due_at, disclosure_id, release)
		CROSS JOIN LATERAL (SELECT e.ctid FROM needtoknow.due AS e WHERE e.recipient_id = u.recipient_id AND e.device = u.device
			AND e.due_at = u.due_at AND e.disclosure_id = u.disclosure_id AND e.release = u.release OFFSET 0) AS d))
	RETURNING 1)
SELECT needtoknow.require((SELECT count(*) FROM gone), cardinality($1::text[]));

-- name: write_due_taken
-- Of these, what is there: an app that fetches may never have had a row of its own.
DELETE FROM needtoknow.due WHERE ctid = ANY (ARRAY(
	SELECT d.ctid FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[], $5::smallint[])
		AS u(recipient_id, device, due_at, disclosure_id, release)
	CROSS JOIN LATERAL (SELECT e.ctid FROM needtoknow.due AS e WHERE e.recipient_id = u.recipient_id AND e.device = u.device
		AND e.due_at = u.due_at AND e.disclosure_id = u.disclosure_id AND e.release = u.release OFFSET 0) AS d));

-- name: write_due_ended
-- Whichever device it waits for.
DELETE FROM needtoknow.due WHERE ctid = ANY (ARRAY(
	SELECT d.ctid FROM unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::smallint[]) AS u(recipient_id, due_at, disclosure_id, release)
	CROSS JOIN LATERAL (SELECT '' AS device UNION ALL SELECT x.device FROM needtoknow.device AS x WHERE x.recipient_id = u.recipient_id
		OFFSET 0) AS v
	CROSS JOIN LATERAL (SELECT e.ctid FROM needtoknow.due AS e WHERE e.recipient_id = u.recipient_id AND e.device = v.device
		AND e.due_at = u.due_at AND e.disclosure_id = u.disclosure_id AND e.release = u.release OFFSET 0) AS d));

-- name: write_due_moved
-- What is still there of them becomes due at another time, for whichever device it waits.
UPDATE needtoknow.due AS d SET due_at = v.moved_to
FROM (SELECT u.moved_to, e.ctid
	FROM unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::smallint[], $5::timestamptz[])
		AS u(recipient_id, due_at, disclosure_id, release, moved_to)
	CROSS JOIN LATERAL (SELECT '' AS device UNION ALL SELECT x.device FROM needtoknow.device AS x WHERE x.recipient_id = u.recipient_id
		OFFSET 0) AS w
	CROSS JOIN LATERAL (SELECT x.ctid FROM needtoknow.due AS x WHERE x.recipient_id = u.recipient_id AND x.device = w.device
		AND x.due_at = u.due_at AND x.disclosure_id = u.disclosure_id AND x.release = u.release OFFSET 0) AS e) AS v
WHERE d.ctid = v.ctid;

-- name: write_due_lost
-- Of a disclosure whose policy this worker cannot read, all that its recipient waits for.
DELETE FROM needtoknow.due WHERE ctid = ANY (ARRAY(
	SELECT d.ctid FROM unnest($1::text[], $2::uuid[]) AS u(recipient_id, disclosure_id)
	CROSS JOIN LATERAL (SELECT e.ctid FROM needtoknow.due AS e WHERE e.recipient_id = u.recipient_id AND e.disclosure_id = u.disclosure_id
		OFFSET 0) AS d));

-- name: write_sent
INSERT INTO needtoknow.sent (disclosure_id, release, serial, ledger_index, recipient_id, device, sent_at, free_at, open,
	commitment, left_out, for_device)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[],
	$8::timestamptz[], $9::boolean[], $10::bytea[], $11::bigint[], $12::text[]);

-- name: write_sent_repeated
-- The earlier sending of what is now sent again no longer waits for an acknowledgement: the new one does.
UPDATE needtoknow.sent AS s SET open = false
FROM (SELECT e.ctid FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::text[])
		AS n(disclosure_id, release, ledger_index, for_device)
	CROSS JOIN LATERAL (SELECT x.ctid, x.open FROM needtoknow.sent AS x WHERE x.disclosure_id = n.disclosure_id AND x.release = n.release
		AND x.ledger_index < n.ledger_index AND x.for_device = n.for_device OFFSET 0) AS e
	WHERE e.open) AS u
WHERE s.ctid = u.ctid;

-- name: write_sent_acknowledged
-- What was sent for any device, whichever acknowledges it; and what was sent for this one. What no longer holds stays due again.
UPDATE needtoknow.sent AS s SET acknowledged_index = u.ledger_index, open = s.open AND s.reopened
FROM (SELECT n.ledger_index, e.ctid
	FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::bigint[], $5::text[])
		AS n(disclosure_id, release, serial, ledger_index, device)
	CROSS JOIN LATERAL (SELECT x.ctid FROM needtoknow.sent AS x WHERE x.disclosure_id = n.disclosure_id AND x.release = n.release
		AND x.serial = n.serial AND x.for_device IN ('', n.device) AND x.acknowledged_index IS NULL OFFSET 0) AS e) AS u
WHERE s.ctid = u.ctid;

-- name: write_sent_freed
-- What a device was sent is free, for whomever it was. What waits for a time of its own (reopened) goes on waiting for it.
UPDATE needtoknow.sent AS s SET free_at = u.free_at
FROM (SELECT n.free_at, e.ctid
	FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::timestamptz[], $5::text[])
		AS n(disclosure_id, release, serial, free_at, device)
	CROSS JOIN LATERAL (SELECT x.ctid, x.open, x.reopened FROM needtoknow.sent AS x WHERE x.disclosure_id = n.disclosure_id
		AND x.release = n.release AND x.serial = n.serial AND x.device = n.device OFFSET 0) AS e
	WHERE e.open AND NOT e.reopened) AS u
WHERE s.ctid = u.ctid;

-- name: write_sent_reopened
-- What was sent last of a release is due again from then on: to whichever device, or to each that it went to and that is not revoked.
-- What was fetched once more and never acknowledged is not it: what waits for an acknowledgement besides would be due before that time.
UPDATE needtoknow.sent AS s SET open = true, reopened = true, free_at = u.free_at
FROM (SELECT n.free_at, e.ctid FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[]) AS n(disclosure_id, release, free_at)
	CROSS JOIN LATERAL (SELECT DISTINCT ON (x.for_device) x.ctid FROM needtoknow.sent AS x WHERE x.disclosure_id = n.disclosure_id
		AND x.release = n.release AND (SELECT v.revoked_at FROM needtoknow.device AS v WHERE v.recipient_id = x.recipient_id
			AND v.device = x.for_device) IS NULL
		ORDER BY x.for_device, x.open OR x.acknowledged_index IS NOT NULL DESC, x.ledger_index DESC OFFSET 0) AS e) AS u
WHERE s.ctid = u.ctid;

-- name: write_sent_corrected
-- The same of exactly these sendings.
UPDATE needtoknow.sent AS s SET open = true, reopened = true, free_at = u.free_at
FROM (SELECT n.free_at, e.ctid FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::bigint[], $5::timestamptz[])
		AS n(disclosure_id, release, serial, ledger_index, free_at)
	CROSS JOIN LATERAL (SELECT x.ctid FROM needtoknow.sent AS x WHERE x.disclosure_id = n.disclosure_id AND x.release = n.release
		AND x.serial = n.serial AND x.ledger_index = n.ledger_index OFFSET 0) AS e) AS u
WHERE s.ctid = u.ctid;

-- name: write_sent_closed
UPDATE needtoknow.sent AS s SET open = false
FROM (SELECT e.ctid FROM unnest($1::uuid[]) AS n(disclosure_id)
	CROSS JOIN LATERAL (SELECT x.ctid, x.open FROM needtoknow.sent AS x WHERE x.disclosure_id = n.disclosure_id OFFSET 0) AS e
	WHERE e.open) AS u
WHERE s.ctid = u.ctid;

-- name: write_withdrawal
INSERT INTO needtoknow.withdrawal (disclosure_id, device, recipient_id, cause, recorded_at, delete_by, ledger_index,
	leaf_hash)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::bytea[]);

-- name: write_deletion_confirmed
WITH confirmed AS (
	UPDATE needtoknow.withdrawal AS w
	SET confirmed_index = u.ledger_index, confirmed_at = u.confirmed_at, outcome = u.outcome, ground = u.ground,
		retained_until = u.retained_until
	FROM (SELECT n.*, e.ctid AS row
		FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[], $5::smallint[], $6::text[], $7::timestamptz[])
			AS n(disclosure_id, device, ledger_index, confirmed_at, outcome, ground, retained_until)
		CROSS JOIN LATERAL (SELECT x.ctid FROM needtoknow.withdrawal AS x WHERE x.disclosure_id = n.disclosure_id AND x.device = n.device
			OFFSET 0) AS e) AS u
	WHERE w.ctid = u.row
	RETURNING 1)
SELECT needtoknow.require((SELECT count(*) FROM confirmed), cardinality($1::uuid[]));

-- name: write_entry_reference
INSERT INTO needtoknow.entry_reference (ledger_index, disclosure_id, subject_id, booking_id, recipient_id, remark)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[]);

-- name: write_request
-- Arrays of arrays do not unnest by row: a request's disclosures and receipts come as texts.
INSERT INTO needtoknow.request (request_key, request_digest, disclosure_ids, ledger_indices, recorded_at)
SELECT u.request_key, u.request_digest, string_to_array(u.disclosure_ids, ' ')::uuid[], string_to_array(u.ledger_indices, ' ')::bigint[],
	u.recorded_at
FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::timestamptz[])
	AS u(request_key, request_digest, disclosure_ids, ledger_indices, recorded_at);

-- name: write_request_more
-- What a request did in a later train than its first: its disclosures, once each, and receipts.
UPDATE needtoknow.request AS q SET ledger_indices = q.ledger_indices || string_to_array(u.ledger_indices, ' ')::bigint[],
	disclosure_ids = q.disclosure_ids || ARRAY(SELECT i.id FROM unnest(string_to_array(u.disclosure_ids, ' ')::uuid[]) AS i(id)
		WHERE i.id <> ALL (q.disclosure_ids))
FROM (SELECT x.ctid AS row, n.disclosure_ids, n.ledger_indices
	FROM unnest($1::uuid[], $2::text[], $3::text[]) AS n(request_key, disclosure_ids, ledger_indices)
	CROSS JOIN LATERAL (SELECT y.ctid FROM needtoknow.request AS y WHERE y.request_key = n.request_key OFFSET 0) AS x) AS u
WHERE q.ctid = u.row;

-- name: write_verifier_key
INSERT INTO needtoknow.verifier_key (ledger_index, verifier_keys)
SELECT * FROM unnest($1::bigint[], $2::text[]);

-- name: write_pruned
INSERT INTO needtoknow.pruned (until, ledger_index, recorded_at)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]);

-- name: write_recipient_slice
-- Arrays of arrays do not unnest by row: a slice's entries come as one text.
INSERT INTO needtoknow.recipient_slice (recipient_id, first_index, entries, kinds)
SELECT u.recipient_id, u.first_index, string_to_array(u.entries, ',')::integer[], u.kinds
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[]) AS u(recipient_id, first_index, entries, kinds);

-- name: write_right
-- A right that is exercised again goes on holding since it was raised first; once it has been lifted it begins anew.
INSERT INTO needtoknow.right_in_force AS r (subject_id, kind, purpose, raised_at, ledger_index)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::text[], $4::timestamptz[], $5::bigint[])
ON CONFLICT (subject_id, kind, purpose) DO NOTHING;

-- name: write_right_lifted
DELETE FROM needtoknow.right_in_force AS r
USING (SELECT x.ctid AS row FROM unnest($1::text[], $2::smallint[], $3::text[]) AS n(subject_id, kind, purpose)
	CROSS JOIN LATERAL (SELECT y.ctid FROM needtoknow.right_in_force AS y WHERE y.subject_id = n.subject_id AND y.kind = n.kind
		AND y.purpose = n.purpose OFFSET 0) AS x) AS u
WHERE r.ctid = u.row;

-- name: write_right_upheld
UPDATE needtoknow.right_in_force AS r SET upheld = true
FROM (SELECT x.ctid AS row FROM unnest($1::text[], $2::smallint[], $3::text[]) AS n(subject_id, kind, purpose)
	CROSS JOIN LATERAL (SELECT y.ctid FROM needtoknow.right_in_force AS y WHERE y.subject_id = n.subject_id AND y.kind = n.kind
		AND y.purpose = n.purpose OFFSET 0) AS x) AS u
WHERE r.ctid = u.row;

-- name: write_right_contacts_read
UPDATE needtoknow.right_in_force AS r SET contacts_read = true
FROM (SELECT x.ctid AS row FROM unnest($1::text[], $2::smallint[], $3::text[]) AS n(subject_id, kind, purpose)
	CROSS JOIN LATERAL (SELECT y.ctid FROM needtoknow.right_in_force AS y WHERE y.subject_id = n.subject_id AND y.kind = n.kind
		AND y.purpose = n.purpose OFFSET 0) AS x) AS u
WHERE r.ctid = u.row;

-- name: write_right_contacts_changed
UPDATE needtoknow.right_in_force AS r SET contacts_read = false
FROM (SELECT x.ctid AS row FROM unnest($1::text[]) AS n(subject_id)
	CROSS JOIN LATERAL (SELECT y.ctid, y.kind FROM needtoknow.right_in_force AS y WHERE y.subject_id = n.subject_id OFFSET 0) AS x
	WHERE x.kind IN (3, 4)) AS u
WHERE r.ctid = u.row;

-- name: write_suppression
-- Whoever has said it last under a contact may take it back.
INSERT INTO needtoknow.suppression (contact, kind, purpose, subject_id, raised_at)
SELECT DISTINCT ON (u.contact, u.kind, u.purpose) u.*
FROM unnest($1::bytea[], $2::smallint[], $3::text[], $4::text[], $5::timestamptz[]) AS u(contact, kind, purpose, subject_id, raised_at)
ON CONFLICT (contact, kind, purpose) DO UPDATE SET subject_id = EXCLUDED.subject_id;

-- name: write_suppression_lifted
DELETE FROM needtoknow.suppression AS s
USING (SELECT x.ctid AS row FROM unnest($1::text[], $2::smallint[], $3::text[]) AS n(subject_id, kind, purpose)
	CROSS JOIN LATERAL (SELECT y.ctid, y.kind, y.purpose FROM needtoknow.suppression AS y WHERE y.subject_id = n.subject_id OFFSET 0) AS x
	WHERE x.kind = n.kind AND x.purpose = n.purpose) AS u
WHERE s.ctid = u.row;

-- name: write_rights_request
INSERT INTO needtoknow.rights_request (request_key, ledger_index, caller, request_id, subject_id, kind, purpose, columns, channel,
	received_at, began_at, due_at, state, answered_at)
SELECT u.request_key, u.ledger_index, u.caller, u.request_id, u.subject_id, u.kind, u.purpose,
	coalesce(string_to_array(u.columns, E'\n'), '{}'), u.channel, u.received_at, u.began_at, u.due_at, u.state, u.answered_at
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::text[], $9::smallint[],
	$10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::smallint[], $14::timestamptz[])
	AS u(request_key, ledger_index, caller, request_id, subject_id, kind, purpose, columns, channel, received_at, began_at, due_at, state,
		answered_at)
-- What was refused may be asked again under the same id, and is then answered otherwise: one line of the register.
ON CONFLICT (request_key) DO UPDATE SET ledger_index = EXCLUDED.ledger_index, kind = EXCLUDED.kind, subject_id = EXCLUDED.subject_id,
	purpose = EXCLUDED.purpose, columns = EXCLUDED.columns, channel = EXCLUDED.channel, received_at = EXCLUDED.received_at,
	began_at = EXCLUDED.began_at, due_at = EXCLUDED.due_at, state = EXCLUDED.state, answered_at = EXCLUDED.answered_at;

-- name: write_rights_request_state
WITH moved AS (
	UPDATE needtoknow.rights_request AS r SET state = u.state, answered_at = u.answered_at
	FROM (SELECT x.ctid AS row, n.state, n.answered_at
		FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[]) AS n(request_key, state, answered_at)
		CROSS JOIN LATERAL (SELECT y.ctid FROM needtoknow.rights_request AS y WHERE y.request_key = n.request_key OFFSET 0) AS x) AS u
	WHERE r.ctid = u.row
	RETURNING 1)
SELECT needtoknow.require((SELECT count(*) FROM moved), cardinality($1::uuid[]));

-- name: write_rights_request_extended
WITH moved AS (
	UPDATE needtoknow.rights_request AS r SET due_at = u.due_at, extended_because = u.because
	FROM (SELECT x.ctid AS row, n.due_at, n.because
		FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS n(request_key, due_at, because)
		CROSS JOIN LATERAL (SELECT y.ctid FROM needtoknow.rights_request AS y WHERE y.request_key = n.request_key OFFSET 0) AS x) AS u
	WHERE r.ctid = u.row
	RETURNING 1)
SELECT needtoknow.require((SELECT count(*) FROM moved), cardinality($1::uuid[]));

-- name: write_restriction_notice
-- The last that a device was told of a disclosure.
INSERT INTO needtoknow.restriction_notice AS r (disclosure_id, device, recipient_id, lifted, recorded_at, ledger_index, leaf_hash)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::timestamptz[], $6::bigint[], $7::bytea[])
ON CONFLICT (disclosure_id, device) DO UPDATE SET lifted = EXCLUDED.lifted, recorded_at = EXCLUDED.recorded_at,
	ledger_index = EXCLUDED.ledger_index, leaf_hash = EXCLUDED.leaf_hash;

-- name: write_erasure
INSERT INTO needtoknow.erasure (request_key, subject_id, state, recorded_at, forget_after, ledger_index)
SELECT u.request_key, u.subject_id, 1, u.recorded_at, u.forget_after, u.ledger_index
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
	AS u(request_key, subject_id, recorded_at, forget_after, ledger_index);

-- name: write_subject_key_destroyed
-- From now on nobody's entry is named by it; needtoknow.forget() clears the rest.
DELETE FROM needtoknow.subject_key AS k
USING (SELECT x.ctid AS row FROM unnest($1::text[]) AS n(subject_id)
	CROSS JOIN LATERAL (SELECT y.ctid FROM needtoknow.subject_key AS y WHERE y.subject_id = n.subject_id OFFSET 0) AS x) AS u
WHERE k.ctid = u.row;

-- name: write_erasure_state
WITH moved AS (
	UPDATE needtoknow.erasure AS e SET state = u.state
	FROM (SELECT x.ctid AS row, n.state
		FROM unnest($1::uuid[], $2::smallint[]) AS n(request_key, state)
		CROSS JOIN LATERAL (SELECT y.ctid FROM needtoknow.erasure AS y WHERE y.request_key = n.request_key OFFSET 0) AS x) AS u
	WHERE e.ctid = u.row
	RETURNING 1)
SELECT needtoknow.require((SELECT count(*) FROM moved), cardinality($1::uuid[]));

-- name: write_erasure_column
INSERT INTO needtoknow.erasure_column (request_key, place, column_name, held, ground, law, since, until)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::boolean[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[]);

-- name: write_column_sweep
-- Whoever is being swept already is swept of the rest when that is done.
INSERT INTO needtoknow.column_sweep (subject_id, request_key, columns, recorded_at)
SELECT u.subject_id, u.request_key, string_to_array(u.columns, E'\n'), u.recorded_at
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[]) AS u(subject_id, request_key, columns, recorded_at)
ON CONFLICT (subject_id) DO NOTHING;

-- name: write_columns_swept
DELETE FROM needtoknow.column_sweep AS s
USING (SELECT x.ctid AS row FROM unnest($1::text[], $2::uuid[]) AS n(subject_id, request_key)
	CROSS JOIN LATERAL (SELECT y.ctid, y.request_key FROM needtoknow.column_sweep AS y WHERE y.subject_id = n.subject_id OFFSET 0) AS x
	WHERE x.request_key = n.request_key) AS u
WHERE s.ctid = u.row;
