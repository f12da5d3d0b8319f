-- What decisions need, for all calls of a turn at once. `ord` says whose row it is. Look-ups are LATERAL with OFFSET 0,
-- for the reason that train.sql gives.

-- name: share_facts
-- Of a Share or an Explain: was it asked before, who is the recipient, which rights of the subject are in force, the subject's key.
SELECT u.ord, d.request_digest, q.request_digest, array_to_string(q.ledger_indices, ' '), q.recorded_at, cardinality(q.disclosure_ids),
	r.recipient_id IS NOT NULL, r.suspended, r.kind, r.agreement_from, r.agreement_until,
	u.service = ANY (r.services), k.pseudonym, k.key,
	(SELECT string_agg(f.kind || ' ' || f.purpose, E'\n') FROM needtoknow.right_in_force AS f WHERE f.subject_id = u.subject_id),
	clock_timestamp()
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS u(request_key, recipient_id, subject_id, service, ord)
LEFT JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = u.request_key OFFSET 0) AS d ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.request AS x WHERE x.request_key = u.request_key OFFSET 0) AS q ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.recipient AS x WHERE x.recipient_id = u.recipient_id OFFSET 0) AS r ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS k ON true;

-- name: request_seen
-- Was something asked under this request id before, with Share or with another method; and what was answered.
SELECT u.ord, d.request_digest, q.request_digest, array_to_string(q.ledger_indices, ' '), q.recorded_at, cardinality(q.disclosure_ids)
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(request_key, ord)
LEFT JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = u.request_key OFFSET 0) AS d ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.request AS x WHERE x.request_key = u.request_key OFFSET 0) AS q ON true;

-- name: disclosures_of_request
-- Those that a request was answered with, in that order, as they are now.
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number,
	CASE WHEN d.state = 1 AND f.kind IS NOT NULL THEN 5::smallint ELSE d.state END, d.withheld, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, d.shared_index, d.subject_id, statement_timestamp(),
	(SELECT string_agg(s.release || CASE WHEN s.acknowledged_index < coalesce(d.ended_index, 9223372036854775807) THEN 'a' ELSE 's' END, ' ')
		FROM (SELECT DISTINCT ON (t.release, t.for_device) t.release, t.acknowledged_index FROM needtoknow.sent AS t
			WHERE t.disclosure_id = d.disclosure_id ORDER BY t.release, t.for_device, t.serial DESC, t.acknowledged_index) AS s)
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(request_key, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.request AS x WHERE x.request_key = u.request_key OFFSET 0) AS q
CROSS JOIN LATERAL unnest(q.disclosure_ids) WITH ORDINALITY AS o(disclosure_id, place)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = o.disclosure_id OFFSET 0) AS d
LEFT JOIN LATERAL (SELECT x.kind FROM needtoknow.right_in_force AS x WHERE x.subject_id = d.subject_id AND x.kind = 2 AND x.purpose = ''
	OFFSET 0) AS f ON true
ORDER BY u.ord, o.place;

-- name: disclosure_to_change
-- A disclosure that may be moved, ended or given to another: as disclosure_by_id has it, its subject's key, and the devices that were sent
-- something and are not ordered to delete it yet.
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number, d.state, d.withheld, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, d.shared_index, d.subject_id, statement_timestamp(),
	(SELECT string_agg(s.release || CASE WHEN s.acknowledged_index < coalesce(d.ended_index, 9223372036854775807) THEN 'a' ELSE 's' END, ' ')
		FROM (SELECT DISTINCT ON (t.release, t.for_device) t.release, t.acknowledged_index FROM needtoknow.sent AS t
			WHERE t.disclosure_id = d.disclosure_id ORDER BY t.release, t.for_device, t.serial DESC, t.acknowledged_index) AS s),
	k.pseudonym, k.key,
	(SELECT string_agg(h.device, E'\n' ORDER BY h.device) FROM (
		SELECT s.device FROM needtoknow.sent AS s WHERE s.disclosure_id = d.disclosure_id
		EXCEPT SELECT w.device FROM needtoknow.withdrawal AS w WHERE w.disclosure_id = d.disclosure_id) AS h)
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(disclosure_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = u.disclosure_id OFFSET 0) AS d
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true;

-- name: disclosures_to_revoke
-- The same of a booking: those that live first, then the newest.
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number, d.state, d.withheld, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, d.shared_index, d.subject_id, statement_timestamp(),
	(SELECT string_agg(s.release || CASE WHEN s.acknowledged_index < coalesce(d.ended_index, 9223372036854775807) THEN 'a' ELSE 's' END, ' ')
		FROM (SELECT DISTINCT ON (t.release, t.for_device) t.release, t.acknowledged_index FROM needtoknow.sent AS t
			WHERE t.disclosure_id = d.disclosure_id ORDER BY t.release, t.for_device, t.serial DESC, t.acknowledged_index) AS s),
	k.pseudonym, k.key,
	(SELECT string_agg(h.device, E'\n' ORDER BY h.device) FROM (
		SELECT s.device FROM needtoknow.sent AS s WHERE s.disclosure_id = d.disclosure_id
		EXCEPT SELECT w.device FROM needtoknow.withdrawal AS w WHERE w.disclosure_id = d.disclosure_id) AS h)
FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u(booking_id, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM (SELECT * FROM needtoknow.disclosure AS x WHERE x.booking_id = u.booking_id OFFSET 0) AS e
	ORDER BY e.state <> 1, e.shared_index DESC LIMIT u.amount) AS d
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true
ORDER BY u.ord, d.state <> 1, d.shared_index DESC;

-- name: disclosure_by_id
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number,
	CASE WHEN d.state = 1 AND f.kind IS NOT NULL THEN 5::smallint ELSE d.state END, d.withheld, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, d.shared_index, d.subject_id, statement_timestamp(),
	(SELECT string_agg(s.release || CASE WHEN s.acknowledged_index < coalesce(d.ended_index, 9223372036854775807) THEN 'a' ELSE 's' END, ' ')
		FROM (SELECT DISTINCT ON (t.release, t.for_device) t.release, t.acknowledged_index FROM needtoknow.sent AS t
			WHERE t.disclosure_id = d.disclosure_id ORDER BY t.release, t.for_device, t.serial DESC, t.acknowledged_index) AS s)
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(disclosure_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = u.disclosure_id OFFSET 0) AS d
LEFT JOIN LATERAL (SELECT x.kind FROM needtoknow.right_in_force AS x WHERE x.subject_id = d.subject_id AND x.kind = 2 AND x.purpose = ''
	OFFSET 0) AS f ON true;

-- name: disclosures_by_booking
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number,
	CASE WHEN d.state = 1 AND f.kind IS NOT NULL THEN 5::smallint ELSE d.state END, d.withheld, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, d.shared_index, d.subject_id, statement_timestamp(),
	(SELECT string_agg(s.release || CASE WHEN s.acknowledged_index < coalesce(d.ended_index, 9223372036854775807) THEN 'a' ELSE 's' END, ' ')
		FROM (SELECT DISTINCT ON (t.release, t.for_device) t.release, t.acknowledged_index FROM needtoknow.sent AS t
			WHERE t.disclosure_id = d.disclosure_id ORDER BY t.release, t.for_device, t.serial DESC, t.acknowledged_index) AS s)
FROM unnest($1::text[], $2::bigint[], $3::integer[]) WITH ORDINALITY AS u(booking_id, below, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS e WHERE e.booking_id = u.booking_id AND e.shared_index < u.below
	ORDER BY e.shared_index DESC LIMIT u.amount) AS d
LEFT JOIN LATERAL (SELECT x.kind FROM needtoknow.right_in_force AS x WHERE x.subject_id = d.subject_id AND x.kind = 2 AND x.purpose = ''
	OFFSET 0) AS f ON true
ORDER BY u.ord, d.shared_index DESC;

-- name: disclosures_by_subject
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number,
	CASE WHEN d.state = 1 AND f.kind IS NOT NULL THEN 5::smallint ELSE d.state END, d.withheld, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, d.shared_index, d.subject_id, statement_timestamp(),
	(SELECT string_agg(s.release || CASE WHEN s.acknowledged_index < coalesce(d.ended_index, 9223372036854775807) THEN 'a' ELSE 's' END, ' ')
		FROM (SELECT DISTINCT ON (t.release, t.for_device) t.release, t.acknowledged_index FROM needtoknow.sent AS t
			WHERE t.disclosure_id = d.disclosure_id ORDER BY t.release, t.for_device, t.serial DESC, t.acknowledged_index) AS s)
FROM unnest($1::text[], $2::bigint[], $3::integer[]) WITH ORDINALITY AS u(subject_id, below, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS e WHERE e.subject_id = u.subject_id AND e.shared_index < u.below
	ORDER BY e.shared_index DESC LIMIT u.amount) AS d
LEFT JOIN LATERAL (SELECT x.kind FROM needtoknow.right_in_force AS x WHERE x.subject_id = d.subject_id AND x.kind = 2 AND x.purpose = ''
	OFFSET 0) AS f ON true
ORDER BY u.ord, d.shared_index DESC;

-- name: disclosures_by_recipient
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number,
	CASE WHEN d.state = 1 AND f.kind IS NOT NULL THEN 5::smallint ELSE d.state END, d.withheld, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, d.shared_index, d.subject_id, statement_timestamp(),
	(SELECT string_agg(s.release || CASE WHEN s.acknowledged_index < coalesce(d.ended_index, 9223372036854775807) THEN 'a' ELSE 's' END, ' ')
		FROM (SELECT DISTINCT ON (t.release, t.for_device) t.release, t.acknowledged_index FROM needtoknow.sent AS t
			WHERE t.disclosure_id = d.disclosure_id ORDER BY t.release, t.for_device, t.serial DESC, t.acknowledged_index) AS s)
FROM unnest($1::text[], $2::bigint[], $3::integer[]) WITH ORDINALITY AS u(recipient_id, below, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS e WHERE e.recipient_id = u.recipient_id AND e.shared_index < u.below
	ORDER BY e.shared_index DESC LIMIT u.amount) AS d
LEFT JOIN LATERAL (SELECT x.kind FROM needtoknow.right_in_force AS x WHERE x.subject_id = d.subject_id AND x.kind = 2 AND x.purpose = ''
	OFFSET 0) AS f ON true
ORDER BY u.ord, d.shared_index DESC;

-- name: disclosures_active
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number,
	CASE WHEN d.state = 1 AND f.kind IS NOT NULL THEN 5::smallint ELSE d.state END, d.withheld, d.starts_at, d.ends_at,
	d.expires_at, d.created_at, d.shared_index, d.subject_id, statement_timestamp(),
	(SELECT string_agg(s.release || CASE WHEN s.acknowledged_index < coalesce(d.ended_index, 9223372036854775807) THEN 'a' ELSE 's' END, ' ')
		FROM (SELECT DISTINCT ON (t.release, t.for_device) t.release, t.acknowledged_index FROM needtoknow.sent AS t
			WHERE t.disclosure_id = d.disclosure_id ORDER BY t.release, t.for_device, t.serial DESC, t.acknowledged_index) AS s)
FROM unnest($1::text[], $2::bigint[], $3::integer[]) WITH ORDINALITY AS u(recipient_id, below, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS e WHERE e.recipient_id = u.recipient_id AND e.shared_index < u.below
	AND e.state = 1 AND (e.expires_at > statement_timestamp()
		OR (SELECT g.kind FROM needtoknow.right_in_force AS g WHERE g.subject_id = e.subject_id AND g.kind = 2 AND g.purpose = '') = 2)
	ORDER BY e.shared_index DESC LIMIT u.amount) AS d
LEFT JOIN LATERAL (SELECT x.kind FROM needtoknow.right_in_force AS x WHERE x.subject_id = d.subject_id AND x.kind = 2 AND x.purpose = ''
	OFFSET 0) AS f ON true
ORDER BY u.ord, d.shared_index DESC;

-- name: recipient_access
-- Who asks: is the recipient suspended, does each of its devices (2) get all, is this device known, is it revoked.
SELECT u.ord, r.suspended, r.deliver_to = 2, v.device IS NOT NULL, v.revoked_at IS NOT NULL
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(recipient_id, device, ord)
LEFT JOIN LATERAL (SELECT * FROM needtoknow.recipient AS x WHERE x.recipient_id = u.recipient_id OFFSET 0) AS r ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.device AS x WHERE x.recipient_id = u.recipient_id AND x.device = u.device OFFSET 0) AS v ON true;

-- name: queue_next
-- What a recipient, or one device of it, is to be sent now: what is due and was never sent, from a place in its queue on, then what was
-- sent and not acknowledged in time; and the next moment at which there will be something. One row at least for each. What has ended, or
-- is about to, is not in it.
SELECT u.ord, statement_timestamp(), n.next_at, q.due_at, q.release, q.serial, q.commitment, q.disclosure_id, q.booking_id, q.subject_id,
	q.service, q.policy_number, q.starts_at, q.ends_at, q.expires_at, q.created_at, q.latest, r.agreement_ref, r.agreement_from,
	r.agreement_until, r.suspended, r.kind, q.service = ANY (r.services), k.pseudonym, k.key,
	(SELECT string_agg(f.kind || ' ' || f.purpose, E'\n') FROM needtoknow.right_in_force AS f WHERE f.subject_id = q.subject_id),
	r.deliver_to = 2, v.revoked
FROM unnest($1::text[], $2::text[], $3::integer[], $4::timestamptz[], $5::uuid[], $6::smallint[]) WITH ORDINALITY
	AS u(recipient_id, device, amount, after_due_at, after_disclosure_id, after_release, ord)
CROSS JOIN LATERAL (SELECT least(
	(SELECT w.due_at FROM needtoknow.due AS w WHERE w.recipient_id = u.recipient_id AND w.device = u.device AND w.due_at > statement_timestamp()
		ORDER BY w.due_at LIMIT 1),
	(SELECT s.free_at FROM needtoknow.sent AS s WHERE s.recipient_id = u.recipient_id AND s.for_device = u.device AND s.open
		AND s.free_at > statement_timestamp() ORDER BY s.free_at LIMIT 1)) AS next_at OFFSET 0) AS n
CROSS JOIN LATERAL (SELECT string_agg(x.device, E'\n') AS revoked FROM needtoknow.device AS x
	WHERE x.recipient_id = u.recipient_id AND x.revoked_at IS NOT NULL OFFSET 0) AS v
LEFT JOIN LATERAL (SELECT * FROM needtoknow.recipient AS x WHERE x.recipient_id = u.recipient_id OFFSET 0) AS r ON true
LEFT JOIN LATERAL (
	(SELECT w.due_at, w.release, 0::smallint AS serial, NULL::bytea AS commitment, 0::smallint AS latest, d.disclosure_id, d.booking_id,
			d.subject_id, d.service, d.policy_number, d.starts_at, d.ends_at, d.expires_at, d.created_at
		FROM needtoknow.due AS w
		CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = w.disclosure_id OFFSET 0) AS d
		WHERE d.state = 1 AND d.expires_at > statement_timestamp() + interval '1 second' AND w.recipient_id = u.recipient_id
			AND w.device = u.device AND w.due_at <= statement_timestamp()
			AND (w.due_at, w.disclosure_id, w.release) > (u.after_due_at, u.after_disclosure_id, u.after_release)
		ORDER BY w.due_at, w.disclosure_id, w.release LIMIT u.amount)
	UNION ALL
	(SELECT s.free_at, s.release, s.serial, s.commitment, (SELECT max(m.serial) FROM needtoknow.sent AS m
				WHERE m.disclosure_id = s.disclosure_id AND m.release = s.release), d.disclosure_id, d.booking_id,
			d.subject_id, d.service, d.policy_number, d.starts_at, d.ends_at, d.expires_at, d.created_at
		FROM needtoknow.sent AS s
		CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = s.disclosure_id OFFSET 0) AS d
		WHERE d.state = 1 AND d.expires_at > statement_timestamp() + interval '1 second' AND s.recipient_id = u.recipient_id
			AND s.for_device = u.device AND s.open AND s.free_at <= statement_timestamp()
		ORDER BY s.free_at LIMIT u.amount)
) AS q ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = q.subject_id OFFSET 0) AS k ON true
ORDER BY u.ord, q.commitment IS NOT NULL, q.due_at, q.disclosure_id, q.release;

-- name: sent_open
-- Which of these deliveries still wait for an acknowledgement.
SELECT u.ord
FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::text[]) WITH ORDINALITY AS u(disclosure_id, release, serial, for_device, ord)
CROSS JOIN LATERAL (SELECT x.open, x.reopened, x.acknowledged_index FROM needtoknow.sent AS x WHERE x.disclosure_id = u.disclosure_id AND x.release = u.release
	AND x.serial = u.serial AND x.for_device = u.for_device OFFSET 0) AS s
WHERE s.open AND NOT (s.reopened AND s.acknowledged_index IS NOT NULL);

-- name: sendings_live
-- What was sent last, to each that it went to, of each release of a subject's disclosures that nothing has ended; one row at least for
-- each of them. Whether it is to be sent again already is asked before the values are. Not what was fetched once more and never
-- acknowledged: that answer may have been lost, and nobody repeats it. Nor what a revoked device alone was to have.
SELECT u.ord, statement_timestamp(), s.open AND s.reopened, s.left_out, s.ledger_index, s.release, s.serial, s.commitment, d.disclosure_id,
	d.booking_id, d.subject_id, d.recipient_id, d.service, d.policy_number, d.starts_at, d.ends_at, d.expires_at, d.created_at,
	(SELECT max(m.serial) FROM needtoknow.sent AS m WHERE m.disclosure_id = s.disclosure_id AND m.release = s.release), r.agreement_ref,
	r.agreement_from, r.agreement_until, r.suspended, r.kind, d.service = ANY (r.services), k.pseudonym, k.key,
	(SELECT string_agg(f.kind || ' ' || f.purpose, E'\n') FROM needtoknow.right_in_force AS f WHERE f.subject_id = d.subject_id)
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS d
LEFT JOIN LATERAL (SELECT DISTINCT ON (x.release, x.for_device) x.* FROM needtoknow.sent AS x WHERE x.disclosure_id = d.disclosure_id
	AND (x.open OR x.acknowledged_index IS NOT NULL)
	AND (SELECT v.revoked_at FROM needtoknow.device AS v WHERE v.recipient_id = x.recipient_id AND v.device = x.for_device) IS NULL
	ORDER BY x.release, x.for_device, x.ledger_index DESC) AS s ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.recipient AS x WHERE x.recipient_id = d.recipient_id OFFSET 0) AS r ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true
WHERE d.state = 1;

-- name: sent_serials
-- Of each release of a disclosure that was sent: the last of its delivery ids, and whether it went to whoever asks.
SELECT u.ord, s.release, max(s.serial), bool_or(s.for_device IN ('', u.device))
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS u(disclosure_id, device, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.sent AS x WHERE x.disclosure_id = u.disclosure_id OFFSET 0) AS s
GROUP BY u.ord, s.release;

-- name: fetch_facts
-- Of a Fetch: the disclosure if it is this recipient's, who the recipient is, rights in force, the key.
SELECT u.ord, statement_timestamp(), d.booking_id, d.subject_id, d.service, d.policy_number, d.starts_at, d.ends_at, d.expires_at,
	d.created_at, d.state, d.withheld, r.agreement_ref, r.agreement_from, r.agreement_until,
	r.suspended, r.kind, d.service = ANY (r.services), k.pseudonym, k.key,
	(SELECT string_agg(f.kind || ' ' || f.purpose, E'\n') FROM needtoknow.right_in_force AS f WHERE f.subject_id = d.subject_id)
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS u(disclosure_id, recipient_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = u.disclosure_id AND x.recipient_id = u.recipient_id
	OFFSET 0) AS d
LEFT JOIN LATERAL (SELECT * FROM needtoknow.recipient AS x WHERE x.recipient_id = d.recipient_id OFFSET 0) AS r ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true;

-- name: acknowledge_facts
-- Of one delivery id of an Acknowledge: was it this recipient's, and for this device; and what its entry says of it.
SELECT u.ord, bool_and(s.acknowledged_index IS NOT NULL), d.booking_id, d.service, d.policy_number, d.expires_at, k.pseudonym, k.key
FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::text[], $5::text[]) WITH ORDINALITY
	AS u(disclosure_id, release, serial, recipient_id, device, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.sent AS x WHERE x.disclosure_id = u.disclosure_id AND x.release = u.release
	AND x.serial = u.serial AND x.recipient_id = u.recipient_id AND x.for_device IN ('', u.device) OFFSET 0) AS s
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = s.disclosure_id OFFSET 0) AS d
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true
GROUP BY u.ord, d.booking_id, d.service, d.policy_number, d.expires_at, k.pseudonym, k.key;

-- name: expired_next
-- Active disclosures whose time is over, oldest first, as ending_read() takes them: with the devices that were sent something and are not
-- ordered to delete it yet; and when the next one's is. What is restricted (GDPR art. 18) is kept beyond its time, until that is lifted.
SELECT u.ord, statement_timestamp(),
	(SELECT n.expires_at FROM needtoknow.disclosure AS n WHERE n.state = 1 AND n.expires_at > statement_timestamp()
		ORDER BY n.expires_at LIMIT 1),
	d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number, d.starts_at, d.ends_at, d.expires_at, d.created_at,
	k.pseudonym, k.key,
	(SELECT string_agg(h.device, E'\n' ORDER BY h.device) FROM (
		SELECT s.device FROM needtoknow.sent AS s WHERE s.disclosure_id = d.disclosure_id
		EXCEPT SELECT w.device FROM needtoknow.withdrawal AS w WHERE w.disclosure_id = d.disclosure_id) AS h),
	d.subject_id
FROM unnest($1::integer[]) WITH ORDINALITY AS u(amount, ord)
LEFT JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS e WHERE e.state = 1 AND e.expires_at <= statement_timestamp()
	AND (SELECT f.kind FROM needtoknow.right_in_force AS f WHERE f.subject_id = e.subject_id AND f.kind = 2 AND f.purpose = '') IS NULL
	ORDER BY e.expires_at LIMIT u.amount) AS d ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true
ORDER BY u.ord, d.expires_at;

-- name: orders_of_device
-- What a device is to be told, in the order of the ledger: withdrawals that it has not confirmed, and, of what lives, what it was told last
-- of a restriction; the last column of a withdrawal is NULL.
SELECT u.ord, o.disclosure_id, o.booking_id, o.cause, o.delete_by, o.ledger_index, o.recorded_at, o.leaf_hash, o.lifted
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[]) WITH ORDINALITY AS u(recipient_id, device, above, amount, ord)
CROSS JOIN LATERAL (
	(SELECT w.disclosure_id, d.booking_id, w.cause, w.delete_by, w.ledger_index, w.recorded_at, w.leaf_hash, NULL::boolean AS lifted
		FROM (SELECT * FROM needtoknow.withdrawal AS x WHERE x.recipient_id = u.recipient_id AND x.device = u.device
			AND x.confirmed_index IS NULL AND x.ledger_index > u.above ORDER BY x.ledger_index LIMIT u.amount) AS w
		LEFT JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = w.disclosure_id OFFSET 0) AS d ON true)
	UNION ALL
	(SELECT n.disclosure_id, d.booking_id, NULL, NULL, n.ledger_index, n.recorded_at, n.leaf_hash, n.lifted
		FROM needtoknow.restriction_notice AS n
		CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = n.disclosure_id OFFSET 0) AS d
		WHERE n.recipient_id = u.recipient_id AND n.device = u.device AND n.ledger_index > u.above AND d.state = 1
		ORDER BY n.ledger_index LIMIT u.amount)
	ORDER BY ledger_index LIMIT u.amount) AS o
ORDER BY u.ord, o.ledger_index;

-- name: withdrawal_facts
-- Of one item of a ConfirmDeletion: the order to this device, and what its entry says of it.
SELECT u.ord, w.confirmed_index IS NOT NULL, d.booking_id, d.service, d.policy_number, k.pseudonym, k.key, w.device IS NOT NULL,
	d.expires_at
FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS u(disclosure_id, recipient_id, device, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.disclosure_id = u.disclosure_id AND x.recipient_id = u.recipient_id
	OFFSET 0) AS d
LEFT JOIN LATERAL (SELECT * FROM needtoknow.withdrawal AS x WHERE x.disclosure_id = u.disclosure_id AND x.device = u.device OFFSET 0) AS w
	ON true
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true;

-- name: recipient_by_id
SELECT u.ord, r.recipient_id, r.kind, r.display_name, array_to_string(r.services, E'\n'), r.agreement_ref, r.agreement_from,
	r.agreement_until, r.deliver_to, r.suspended
FROM unnest($1::text[]) WITH ORDINALITY AS u(recipient_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.recipient AS x WHERE x.recipient_id = u.recipient_id OFFSET 0) AS r;

-- name: recipients_after
SELECT u.ord, r.recipient_id, r.kind, r.display_name, array_to_string(r.services, E'\n'), r.agreement_ref, r.agreement_from,
	r.agreement_until, r.deliver_to, r.suspended
FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u(after, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.recipient AS e WHERE e.recipient_id > u.after ORDER BY e.recipient_id LIMIT u.amount) AS r
ORDER BY u.ord, r.recipient_id;

-- name: ledger_bodies_around
-- Each entry with those that share its mark, or its whole row where that has no marks: the index of the first, and their bodies. `asker`
-- tells the askers of one batch apart: what is asked for twice in a row is sent once to each.
SELECT x.ord, x.from_index, substring(x.bodies FROM x.at + 1 FOR x.until - x.at)
FROM (SELECT u.ord, m.from_index, l.bodies, m.at, m.until, lag(m.from_index) OVER (PARTITION BY u.asker ORDER BY u.ord) AS before
	FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS u(ledger_index, asker, ord)
	CROSS JOIN LATERAL (SELECT * FROM (SELECT * FROM needtoknow.ledger AS e WHERE e.first_index <= u.ledger_index
			ORDER BY e.first_index DESC LIMIT 1) AS r WHERE u.ledger_index < r.first_index + r.count OFFSET 0) AS l
	CROSS JOIN LATERAL (SELECT CASE WHEN l.marks IS NULL THEN 0 ELSE (u.ledger_index - l.first_index)::integer / 4 END AS block) AS b
	CROSS JOIN LATERAL (SELECT l.first_index + b.block * 4 AS from_index, coalesce(l.marks[b.block + 1], 0) AS at,
		coalesce(l.marks[b.block + 2], length(l.bodies)) AS until) AS m
	ORDER BY u.ord OFFSET 0) AS x
WHERE x.before IS DISTINCT FROM x.from_index;

-- name: ledger_leaf
-- An entry's leaf from the tree, which has it also when its body is gone.
SELECT u.ord, substring(t.hashes FROM (u.ledger_index % 256)::integer * 32 + 1 FOR 32)
FROM unnest($1::bigint[]) WITH ORDINALITY AS u(ledger_index, ord)
CROSS JOIN LATERAL (SELECT x.hashes FROM needtoknow.tile AS x WHERE x.level = 0 AND x.number = u.ledger_index / 256 OFFSET 0) AS t;

-- name: policies_all
-- Every policy that was ever in force (live disclosures keep the rule under which they were shared), and which one is now.
SELECT p.policy_number, p.digest, p.text,
	p.policy_number = (SELECT a.policy_number FROM needtoknow.policy_activation AS a ORDER BY a.ledger_index DESC LIMIT 1)
FROM needtoknow.policy AS p ORDER BY p.policy_number;

-- name: secret_key
SELECT key FROM needtoknow.secret;

-- name: listeners
-- How many workers listen, on all machines.
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user
	AND application_name = 'needtoknow listen';
