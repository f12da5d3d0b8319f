-- Clients' rights. As in read.sql, look-ups are LATERAL with OFFSET 0.

-- name: asked_facts
-- Who asks for a right: their key, whether they were erased, and the database's time. `stored`: something of them is known here.
SELECT u.ord, k.pseudonym, k.key, e.subject_id IS NOT NULL, k.subject_id IS NOT NULL OR f.subject_id IS NOT NULL, clock_timestamp()
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS k ON true
LEFT JOIN LATERAL (SELECT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id LIMIT 1) AS f ON true
LEFT JOIN LATERAL (SELECT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id AND x.kind = 1
	AND x.purpose = '' OFFSET 0) AS e ON true;

-- Restrict and LiftRestriction (src/rpc/restrict.c, src/service/restriction.c).

-- name: restriction_in_force
SELECT u.ord
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT x.kind FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id AND x.kind = 2 AND x.purpose = ''
	OFFSET 0) AS f;

-- name: restriction_to_tell
-- A page of what lives of a subject, as ending_read() takes it, in the order in which it was shared, with the devices that are still to be
-- told that the restriction holds, or that it is lifted; whether it holds, and whether the request is still open. One row at least.
SELECT u.ord, f.kind IS NOT NULL, q.state = 1, d.shared_index, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number,
	d.starts_at, d.ends_at, d.expires_at, d.created_at, k.pseudonym, k.key,
	(SELECT string_agg(h.device, E'\n' ORDER BY h.device) FROM (
		(SELECT s.device FROM needtoknow.sent AS s WHERE s.disclosure_id = d.disclosure_id AND NOT u.lifted
			EXCEPT SELECT n.device FROM needtoknow.restriction_notice AS n WHERE n.disclosure_id = d.disclosure_id AND NOT n.lifted
			UNION SELECT n.device FROM needtoknow.restriction_notice AS n WHERE n.disclosure_id = d.disclosure_id AND NOT n.lifted
				AND u.lifted)
		EXCEPT SELECT w.device FROM needtoknow.withdrawal AS w WHERE w.disclosure_id = d.disclosure_id) AS h),
	d.subject_id
FROM unnest($1::text[], $2::boolean[], $3::uuid[], $4::bigint[], $5::integer[])
	WITH ORDINALITY AS u(subject_id, lifted, request_key, above, amount, ord)
LEFT JOIN LATERAL (SELECT x.kind FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id AND x.kind = 2 AND x.purpose = ''
	OFFSET 0) AS f ON true
LEFT JOIN LATERAL (SELECT x.state FROM needtoknow.rights_request AS x WHERE x.request_key = u.request_key OFFSET 0) AS q ON true
LEFT JOIN LATERAL (SELECT * FROM (SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS e
	WHERE e.state = 1 AND e.shared_index > u.above ORDER BY e.shared_index LIMIT u.amount) AS d ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true
ORDER BY u.ord, d.shared_index;

-- name: restrictions_untold
-- What a worker that died has left of it: the requests whose devices were not all told.
SELECT u.ord, r.request_key, r.subject_id, r.kind = 8
FROM unnest($1::integer[]) WITH ORDINALITY AS u(amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.rights_request AS x WHERE x.state = 1 AND x.kind IN (7, 8) AND x.subject_id IS NOT NULL
	ORDER BY x.request_key LIMIT u.amount) AS r;

-- Retention of the company's columns (retention_sweeper.c).

-- name: column_sweeps_pending
-- A page of the clients of whom columns are to go, by their ids; and whether what there is of them is to be kept (GDPR art. 18): who asked
-- for erasure has ended that.
SELECT u.ord, s.subject_id, s.request_key, array_to_string(s.columns, E'\n'), r.subject_id IS NOT NULL AND e.subject_id IS NULL
FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u(after, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.column_sweep AS x WHERE x.subject_id > u.after ORDER BY x.subject_id LIMIT u.amount) AS s
LEFT JOIN LATERAL (SELECT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.subject_id = s.subject_id AND x.kind = 2
	AND x.purpose = '' OFFSET 0) AS r ON true
LEFT JOIN LATERAL (SELECT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.subject_id = s.subject_id AND x.kind = 1
	AND x.purpose = '' OFFSET 0) AS e ON true
ORDER BY u.ord, s.subject_id;

-- name: column_sweep_facts
-- Their key, whether they were erased, and under which request key the company was asked; NULL: that is done.
SELECT u.ord, k.pseudonym, k.key, e.subject_id IS NOT NULL, s.request_key
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS k ON true
LEFT JOIN LATERAL (SELECT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id AND x.kind = 1
	AND x.purpose = '' OFFSET 0) AS e ON true
LEFT JOIN LATERAL (SELECT x.request_key FROM needtoknow.column_sweep AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS s ON true;

-- The register of requests (ListRequests, ExtendRequest). Columns as src/rpc/rights_requests.c reads them; `now`: when its first page was
-- read, NULL with that. What comes after the position (late, due_at, request_key); due_at NULL: from the beginning.

-- name: rights_requests_all
-- Open and overdue ones first, from the index of those that are open; then the others. Each part walks its index from the position on.
SELECT u.ord, n.now, r.late, r.request_key, r.caller, r.request_id, r.subject_id, r.kind, r.purpose, array_to_string(r.columns, E'\n'),
	r.channel, r.received_at, r.due_at, r.extended_because, r.state, r.answered_at, r.ledger_index
FROM unnest($1::timestamptz[], $2::boolean[], $3::timestamptz[], $4::uuid[], $5::integer[]) WITH ORDINALITY
	AS u(now, late, due_at, request_key, amount, ord)
CROSS JOIN LATERAL (SELECT coalesce(u.now, statement_timestamp()) AS now, coalesce(u.due_at, '-infinity') AS due_at,
	CASE WHEN u.late THEN '-infinity' ELSE coalesce(u.due_at, '-infinity') END AS other_due_at OFFSET 0) AS n
CROSS JOIN LATERAL (
	(SELECT true AS late, x.* FROM needtoknow.rights_request AS x
		WHERE x.state = 1 AND x.due_at <= n.now AND u.late AND (x.due_at, x.request_key) > (n.due_at, u.request_key)
		ORDER BY x.due_at, x.request_key LIMIT u.amount)
	UNION ALL
	(SELECT false, x.* FROM needtoknow.rights_request AS x
		WHERE NOT (x.state = 1 AND x.due_at <= n.now) AND (x.due_at, x.request_key) > (n.other_due_at, u.request_key)
		ORDER BY x.due_at, x.request_key LIMIT u.amount)
	ORDER BY 1 DESC, due_at, request_key LIMIT u.amount) AS r
ORDER BY u.ord, r.late DESC, r.due_at, r.request_key;

-- name: rights_requests_open
-- By due_at alone: who is overdue is first.
SELECT u.ord, n.now, r.due_at <= n.now, r.request_key, r.caller, r.request_id, r.subject_id, r.kind, r.purpose,
	array_to_string(r.columns, E'\n'), r.channel, r.received_at, r.due_at, r.extended_because, r.state, r.answered_at, r.ledger_index
FROM unnest($1::timestamptz[], $2::boolean[], $3::timestamptz[], $4::uuid[], $5::integer[]) WITH ORDINALITY
	AS u(now, late, due_at, request_key, amount, ord)
CROSS JOIN LATERAL (SELECT coalesce(u.now, statement_timestamp()) AS now, coalesce(u.due_at, '-infinity') AS due_at OFFSET 0) AS n
CROSS JOIN LATERAL (SELECT * FROM needtoknow.rights_request AS x
	WHERE x.state = 1 AND (x.due_at, x.request_key) > (n.due_at, u.request_key)
	ORDER BY x.due_at, x.request_key LIMIT u.amount) AS r
ORDER BY u.ord, r.due_at, r.request_key;

-- name: rights_requests_of_subject
-- One client's are few: all are read, and put into their order.
SELECT u.ord, n.now, r.late, r.request_key, r.caller, r.request_id, r.subject_id, r.kind, r.purpose, array_to_string(r.columns, E'\n'),
	r.channel, r.received_at, r.due_at, r.extended_because, r.state, r.answered_at, r.ledger_index
FROM unnest($1::timestamptz[], $2::boolean[], $3::timestamptz[], $4::uuid[], $5::integer[], $6::text[], $7::boolean[]) WITH ORDINALITY
	AS u(now, late, due_at, request_key, amount, subject_id, open_only, ord)
CROSS JOIN LATERAL (SELECT coalesce(u.now, statement_timestamp()) AS now, coalesce(u.due_at, '-infinity') AS due_at OFFSET 0) AS n
CROSS JOIN LATERAL (SELECT o.* FROM (
		SELECT x.state = 1 AND x.due_at <= n.now AS late, x.* FROM needtoknow.rights_request AS x
		WHERE x.subject_id = u.subject_id AND (x.state = 1 OR NOT u.open_only) OFFSET 0) AS o
	WHERE (NOT o.late, o.due_at, o.request_key) > (NOT u.late, n.due_at, u.request_key)
	ORDER BY o.late DESC, o.due_at, o.request_key LIMIT u.amount) AS r
ORDER BY u.ord, r.late DESC, r.due_at, r.request_key;

-- name: rights_request_by_key
-- The same columns, and the subject's key.
SELECT u.ord, n.now, r.state = 1 AND r.due_at <= n.now, r.request_key, r.caller, r.request_id, r.subject_id, r.kind, r.purpose,
	array_to_string(r.columns, E'\n'), r.channel, r.received_at, r.due_at, r.extended_because, r.state, r.answered_at, r.ledger_index,
	k.pseudonym, k.key
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(request_key, ord)
CROSS JOIN LATERAL (SELECT statement_timestamp() AS now) AS n
CROSS JOIN LATERAL (SELECT * FROM needtoknow.rights_request AS x WHERE x.request_key = u.request_key AND x.request_id IS NOT NULL
	OFFSET 0) AS r
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = r.subject_id OFFSET 0) AS k ON true;

-- Register, GetSubjectRecord, Rectify (GDPR art. 13 to 16, 19, 20).

-- name: registered_subject
-- The client number that a registration was answered with; NULL once that client was forgotten.
SELECT u.ord, r.subject_id FROM unnest($1::uuid[]) WITH ORDINALITY AS u(request_key, ord)
CROSS JOIN LATERAL (SELECT x.subject_id FROM needtoknow.rights_request AS x WHERE x.request_key = u.request_key OFFSET 0) AS r;

-- name: sendings_held
-- Who holds what of a subject's: of each disclosure that lives, what was sent last of each release, to each that it went to.
SELECT u.ord, count(*) OVER (PARTITION BY u.ord), d.service, d.policy_number, d.recipient_id, s.release, s.left_out, s.device
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS d
CROSS JOIN LATERAL (SELECT DISTINCT ON (x.release, x.for_device) x.* FROM needtoknow.sent AS x WHERE x.disclosure_id = d.disclosure_id
	ORDER BY x.release, x.for_device, x.ledger_index DESC) AS s
WHERE d.state = 1 AND d.expires_at > statement_timestamp();

-- name: notified_corrections
-- Who was told of each rectification that changed something: of what had been sent before it, the first sending since that has other
-- values, and when that, or a later one, was acknowledged. Without such a sending: whoever is still to be told.
SELECT u.ord, count(*) OVER (PARTITION BY u.ord), r.ledger_index, array_to_string(r.columns, E'\n'), d.disclosure_id, d.service,
	d.policy_number, p.display_name, coalesce(t.device, b.device), b.release, b.left_out, t.ledger_index, t.sent_at, a.recorded_at
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.rights_request AS x WHERE x.subject_id = u.subject_id AND x.kind = 3 AND x.columns <> '{}'
	OFFSET 0) AS r
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS d
CROSS JOIN LATERAL (SELECT DISTINCT ON (x.release, x.for_device) x.* FROM needtoknow.sent AS x WHERE x.disclosure_id = d.disclosure_id
	AND x.sent_at < r.began_at ORDER BY x.release, x.for_device, x.ledger_index DESC) AS b
LEFT JOIN LATERAL (SELECT x.* FROM needtoknow.sent AS x WHERE x.disclosure_id = d.disclosure_id AND x.release = b.release
	AND x.for_device = b.for_device AND x.serial > b.serial ORDER BY x.ledger_index LIMIT 1) AS t ON true
LEFT JOIN LATERAL (SELECT min(x.acknowledged_index) AS ledger_index FROM needtoknow.sent AS x WHERE x.disclosure_id = d.disclosure_id
	AND x.release = b.release AND x.for_device = b.for_device AND x.serial >= t.serial) AS k ON true
LEFT JOIN LATERAL (SELECT x.recorded_at FROM needtoknow.ledger AS x WHERE x.first_index <= k.ledger_index
	ORDER BY x.first_index DESC LIMIT 1) AS a ON true
LEFT JOIN LATERAL (SELECT x.display_name FROM needtoknow.recipient AS x WHERE x.recipient_id = d.recipient_id OFFSET 0) AS p ON true
WHERE t.ledger_index IS NOT NULL OR d.state = 1 AND d.expires_at > statement_timestamp();

-- name: notified_deletions
-- Who was ordered to delete by an erasure (withdrawal cause 4), and what it answered.
SELECT u.ord, count(*) OVER (PARTITION BY u.ord), r.ledger_index, d.disclosure_id, d.service, d.policy_number, p.display_name, w.device,
	w.ledger_index, w.recorded_at, coalesce(w.outcome, 0::smallint), w.confirmed_at, w.ground, w.retained_until
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS d
CROSS JOIN LATERAL (SELECT * FROM needtoknow.withdrawal AS x WHERE x.disclosure_id = d.disclosure_id OFFSET 0) AS w
CROSS JOIN LATERAL (SELECT max(x.ledger_index) AS ledger_index FROM needtoknow.rights_request AS x WHERE x.subject_id = u.subject_id
	AND x.kind = 4 AND x.state <> 3 AND x.ledger_index <= w.ledger_index) AS r
LEFT JOIN LATERAL (SELECT x.display_name FROM needtoknow.recipient AS x WHERE x.recipient_id = d.recipient_id OFFSET 0) AS p ON true
WHERE w.cause = 4 AND r.ledger_index IS NOT NULL;

-- name: notified_restrictions
-- What each device was told last of a restriction.
SELECT u.ord, count(*) OVER (PARTITION BY u.ord), r.ledger_index, d.disclosure_id, d.service, d.policy_number, p.display_name, n.device,
	n.ledger_index, n.recorded_at, n.lifted
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS d
CROSS JOIN LATERAL (SELECT * FROM needtoknow.restriction_notice AS x WHERE x.disclosure_id = d.disclosure_id OFFSET 0) AS n
CROSS JOIN LATERAL (SELECT max(x.ledger_index) AS ledger_index FROM needtoknow.rights_request AS x WHERE x.subject_id = u.subject_id
	AND x.kind = CASE WHEN n.lifted THEN 8 ELSE 7 END AND x.state <> 3 AND x.ledger_index <= n.ledger_index) AS r
LEFT JOIN LATERAL (SELECT x.display_name FROM needtoknow.recipient AS x WHERE x.recipient_id = d.recipient_id OFFSET 0) AS p ON true
WHERE r.ledger_index IS NOT NULL;

-- Objections and withdrawn consents (kinds 3 and 4 of right_in_force).

-- name: rights_objected
SELECT u.ord, f.kind, f.purpose, f.raised_at, f.upheld
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id AND x.kind IN (3, 4) OFFSET 0) AS f
ORDER BY u.ord, f.kind, f.purpose;

-- name: requests_to_weigh
-- Requests about this purpose that wait for the company to weigh the objection (GDPR art. 21(1)).
SELECT u.ord, r.request_key
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(subject_id, purpose, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.rights_request AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS r
WHERE r.state = 1 AND r.kind = 5 AND r.purpose = u.purpose;

-- name: rights_without_contacts
-- Of a subject, those that are not suppressed by their contacts yet; or all, since contacts change.
SELECT u.ord, f.kind, f.purpose
FROM unnest($1::text[], $2::boolean[]) WITH ORDINALITY AS u(subject_id, again, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id AND x.kind IN (3, 4) OFFSET 0) AS f
WHERE u.again OR NOT f.contacts_read;

-- name: suppression_pending
-- Who has such rights, a page behind this subject.
SELECT u.ord, f.subject_id
FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u(above, amount, ord)
CROSS JOIN LATERAL (SELECT DISTINCT x.subject_id FROM needtoknow.right_in_force AS x WHERE x.kind IN (3, 4) AND NOT x.contacts_read
	AND x.subject_id > u.above ORDER BY x.subject_id LIMIT u.amount) AS f
ORDER BY u.ord, f.subject_id;

-- name: suppressed_by_contact
SELECT u.ord, s.kind, s.purpose
FROM unnest($1::bytea[]) WITH ORDINALITY AS u(contact, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.suppression AS x WHERE x.contact = u.contact OFFSET 0) AS s
ORDER BY u.ord, s.kind, s.purpose;

-- name: disclosures_of_subject_to_end
-- What lives of a subject, in the order of sharing, as disclosure_to_change has it.
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number, d.state, d.withheld, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, d.shared_index, d.subject_id, statement_timestamp(),
	(SELECT string_agg(s.release || CASE WHEN s.acknowledged_index < coalesce(d.ended_index, 9223372036854775807) THEN 'a' ELSE 's' END, ' ')
		FROM (SELECT DISTINCT ON (t.release, t.for_device) t.release, t.acknowledged_index FROM needtoknow.sent AS t
			WHERE t.disclosure_id = d.disclosure_id ORDER BY t.release, t.for_device, t.serial DESC, t.acknowledged_index) AS s),
	k.pseudonym, k.key,
	(SELECT string_agg(h.device, E'\n' ORDER BY h.device) FROM (
		SELECT s.device FROM needtoknow.sent AS s WHERE s.disclosure_id = d.disclosure_id
		EXCEPT SELECT w.device FROM needtoknow.withdrawal AS w WHERE w.disclosure_id = d.disclosure_id) AS h)
FROM unnest($1::text[], $2::bigint[], $3::integer[]) WITH ORDINALITY AS u(subject_id, above, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM (SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = u.subject_id AND x.shared_index > u.above
	OFFSET 0) AS e WHERE e.state = 1 ORDER BY e.shared_index LIMIT u.amount) AS d
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true
ORDER BY u.ord, d.shared_index;

-- Erase (src/rpc/erase.c), what follows it (src/service/erasing.c), and forgetting (src/service/eraser.c).

-- name: live_of_erasure
-- How far an erasure is, and a page of what lives of its subject, as ending_read() takes it: one row at least.
SELECT u.ord, r.state, r.subject_id, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, k.pseudonym, k.key,
	(SELECT string_agg(h.device, E'\n' ORDER BY h.device) FROM (
		SELECT s.device FROM needtoknow.sent AS s WHERE s.disclosure_id = d.disclosure_id
		EXCEPT SELECT w.device FROM needtoknow.withdrawal AS w WHERE w.disclosure_id = d.disclosure_id) AS h),
	d.subject_id
FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS u(request_key, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.erasure AS x WHERE x.request_key = u.request_key OFFSET 0) AS r
LEFT JOIN LATERAL (SELECT * FROM (SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = r.subject_id OFFSET 0) AS e
	WHERE e.state = 1 ORDER BY e.shared_index LIMIT u.amount) AS d ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true
ORDER BY u.ord, d.shared_index;

-- name: erasure_before
-- Under this request key a client was erased before, whether or not what was answered is still remembered. The subject is NULL once
-- forgotten.
SELECT u.ord, e.subject_id, e.ledger_index, e.recorded_at
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(request_key, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.erasure AS x WHERE x.request_key = u.request_key OFFSET 0) AS e;

-- name: erasure_facts
-- Of one that the company has answered: is that recorded, is it in the register, and its subject's key.
SELECT u.ord, e.state, q.request_key IS NOT NULL, k.pseudonym, k.key
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(request_key, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.erasure AS x WHERE x.request_key = u.request_key OFFSET 0) AS e
LEFT JOIN LATERAL (SELECT x.request_key FROM needtoknow.rights_request AS x WHERE x.request_key = u.request_key OFFSET 0) AS q ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = e.subject_id OFFSET 0) AS k ON true;

-- name: erasure_outcome
-- What is answered of an erasure: when it was recorded, when its subject may be forgotten, and the columns. One row at least.
SELECT u.ord, e.recorded_at, e.forget_after, c.column_name, c.held, c.ground, c.law, c.since, c.until
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(request_key, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.erasure AS x WHERE x.request_key = u.request_key OFFSET 0) AS e
LEFT JOIN LATERAL (SELECT * FROM needtoknow.erasure_column AS x WHERE x.request_key = u.request_key OFFSET 0) AS c ON true
ORDER BY u.ord, c.place;

-- name: erasure_withdrew
-- What it ended, in the order in which that was shared.
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number, d.state, d.withheld, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, d.shared_index, d.subject_id, statement_timestamp(),
	(SELECT string_agg(s.release || CASE WHEN s.acknowledged_index < coalesce(d.ended_index, 9223372036854775807) THEN 'a' ELSE 's' END, ' ')
		FROM (SELECT DISTINCT ON (t.release, t.for_device) t.release, t.acknowledged_index FROM needtoknow.sent AS t
			WHERE t.disclosure_id = d.disclosure_id ORDER BY t.release, t.for_device, t.serial DESC, t.acknowledged_index) AS s)
FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS u(request_key, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.erasure AS x WHERE x.request_key = u.request_key OFFSET 0) AS r
CROSS JOIN LATERAL (SELECT * FROM (SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = r.subject_id OFFSET 0) AS e
	WHERE e.state = 7 AND e.ended_index > r.ledger_index ORDER BY e.shared_index LIMIT u.amount) AS d
ORDER BY u.ord, d.shared_index;

-- name: erasures_pending
-- A page of those that the company has not answered, and that nobody waits for any more; after the one that was looked at last.
SELECT u.ord, e.request_key, e.recorded_at
FROM unnest($1::timestamptz[], $2::uuid[], $3::integer[]) WITH ORDINALITY AS u(after_time, after_key, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.erasure AS x WHERE x.state = 1 AND (x.recorded_at, x.request_key) > (u.after_time, u.after_key)
	AND x.recorded_at < statement_timestamp() - interval '3 seconds' ORDER BY x.recorded_at, x.request_key LIMIT u.amount) AS e
ORDER BY u.ord, e.recorded_at, e.request_key;

-- name: erasures_to_forget
-- A page of those whose subject's time is over, and whether nothing keeps them: no order to delete that was not confirmed, no later
-- erasure of the same subject, nothing that is still live.
SELECT u.ord, e.request_key, e.subject_id, e.forget_after, NOT EXISTS (
		SELECT FROM (SELECT x.state, x.forget_after FROM needtoknow.erasure AS x WHERE x.subject_id = e.subject_id OFFSET 0) AS o
		WHERE o.state = 1 OR o.forget_after > statement_timestamp())
	AND NOT EXISTS (SELECT FROM (SELECT x.disclosure_id, x.state FROM needtoknow.disclosure AS x WHERE x.subject_id = e.subject_id OFFSET 0) AS d
		CROSS JOIN LATERAL (SELECT x.device FROM needtoknow.sent AS x WHERE x.disclosure_id = d.disclosure_id OFFSET 0) AS s
		LEFT JOIN LATERAL (SELECT x.confirmed_index FROM needtoknow.withdrawal AS x WHERE x.disclosure_id = d.disclosure_id
			AND x.device = s.device OFFSET 0) AS w ON true
		WHERE w.confirmed_index IS NULL)
	AND NOT EXISTS (SELECT FROM (SELECT x.state FROM needtoknow.disclosure AS x WHERE x.subject_id = e.subject_id OFFSET 0) AS d
		WHERE d.state = 1)
FROM unnest($1::timestamptz[], $2::uuid[], $3::integer[]) WITH ORDINALITY AS u(after_time, after_key, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.erasure AS x WHERE x.state = 2 AND (x.forget_after, x.request_key) > (u.after_time, u.after_key)
	AND x.forget_after <= statement_timestamp() ORDER BY x.forget_after, x.request_key LIMIT u.amount) AS e
ORDER BY u.ord, e.forget_after, e.request_key;

-- name: erasure_keeps_subject
-- Asked again before the key goes: another erasure, asked for meanwhile, keeps it.
SELECT u.ord, EXISTS (SELECT FROM (SELECT x.state, x.forget_after FROM needtoknow.erasure AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS o
	WHERE o.state = 1 OR o.forget_after > statement_timestamp())
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord);

-- name: forget_subject
SELECT u.ord, needtoknow.forget(u.subject_id) FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord);

-- The erasure list (src/service/erasure_list.h).

-- name: erasure_known
SELECT u.ord FROM unnest($1::uuid[]) WITH ORDINALITY AS u(request_key, ord)
CROSS JOIN LATERAL (SELECT x.request_key FROM needtoknow.erasure AS x WHERE x.request_key = u.request_key OFFSET 0) AS e;

-- name: erasures_since
-- Behind an entry: who was erased since; not before a time, at which the oldest backup was made (NULL: ever).
SELECT u.ord, e.ledger_index, e.request_key, e.recorded_at, e.forget_after, e.subject_id
FROM unnest($1::bigint[], $2::timestamptz[], $3::integer[]) WITH ORDINALITY AS u(after, recorded_from, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.erasure AS x
	WHERE x.ledger_index > u.after AND x.subject_id IS NOT NULL AND x.recorded_at >= coalesce(u.recorded_from, '-infinity')
	ORDER BY x.ledger_index LIMIT u.amount) AS e
ORDER BY u.ord, e.ledger_index;
