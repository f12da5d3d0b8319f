-- What auditors ask of what was shared. As in read.sql, look-ups are LATERAL with OFFSET 0.

-- name: report_subject
SELECT u.ord, k.pseudonym, statement_timestamp() FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS k;

-- name: report_disclosures
-- All that was shared of a subject, in that order, and how much that is.
SELECT u.ord, count(*) OVER (PARTITION BY u.ord), d.disclosure_id, d.service, d.policy_number,
	CASE WHEN d.state = 1 AND f.kind IS NOT NULL THEN 5::smallint ELSE d.state END, d.starts_at, d.ends_at, d.expires_at,
	d.created_at, d.shared_index, d.expires_at <= statement_timestamp(), d.recipient_id, r.display_name
FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u(subject_id, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS e WHERE e.subject_id = u.subject_id ORDER BY e.shared_index LIMIT u.amount) AS d
LEFT JOIN LATERAL (SELECT * FROM needtoknow.recipient AS x WHERE x.recipient_id = d.recipient_id OFFSET 0) AS r ON true
LEFT JOIN LATERAL (SELECT x.kind FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id AND x.kind = 2
	AND x.purpose = '' OFFSET 0) AS f ON true
ORDER BY u.ord, d.shared_index;

-- name: report_rights
SELECT u.ord, count(*) OVER (PARTITION BY u.ord), f.kind, f.purpose, f.raised_at
FROM unnest($1::text[]) WITH ORDINALITY AS u(subject_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.right_in_force AS x WHERE x.subject_id = u.subject_id OFFSET 0) AS f
ORDER BY u.ord, f.kind, f.purpose;

-- name: report_sendings
-- Each sending, and which fields of its release were left out of all of them.
SELECT u.ord, count(*) OVER (PARTITION BY u.ord, s.release), s.release, s.ledger_index, s.sent_at, s.acknowledged_index IS NOT NULL,
	bit_and(s.left_out) OVER (PARTITION BY u.ord, s.release)
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(disclosure_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.sent AS x WHERE x.disclosure_id = u.disclosure_id OFFSET 0) AS s
ORDER BY u.ord, s.release, s.ledger_index;

-- name: report_deletions
SELECT u.ord, count(*) OVER (PARTITION BY u.ord), w.cause, w.recorded_at, w.delete_by, w.ledger_index, coalesce(w.outcome, 0::smallint),
	w.confirmed_at, w.ground, w.retained_until
FROM unnest($1::uuid[]) WITH ORDINALITY AS u(disclosure_id, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.withdrawal AS x WHERE x.disclosure_id = u.disclosure_id OFFSET 0) AS w
ORDER BY u.ord, w.ledger_index, w.device;

-- name: exposures
-- What a recipient was ever sent, a line a disclosure, release and device, in the order of sharing; one line at least a disclosure, so that
-- the asker knows how far this went. A device holds what it was sent until it said that it was deleted.
SELECT u.ord, d.shared_index, count(*) OVER (PARTITION BY u.ord, d.shared_index), d.created_at < u.held_until, d.disclosure_id, d.subject_id, d.service, d.policy_number, k.pseudonym,
	s.release, s.left_out, s.device, s.sent_at, s.ledger_index, CASE w.outcome WHEN 1 THEN w.confirmed_at END, CASE w.outcome WHEN 2 THEN w.ground END
FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::text[], $5::timestamptz[]) WITH ORDINALITY
	AS u(recipient_id, above, amount, device, held_until, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS e WHERE e.recipient_id = u.recipient_id AND e.shared_index > u.above
	ORDER BY e.shared_index LIMIT u.amount) AS d
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true
LEFT JOIN LATERAL (
	SELECT x.release, x.device, min(x.sent_at) AS sent_at, min(x.ledger_index) AS ledger_index, bit_and(x.left_out) AS left_out
	FROM needtoknow.sent AS x WHERE x.disclosure_id = d.disclosure_id GROUP BY x.release, x.device OFFSET 0) AS s
	ON s.sent_at < u.held_until AND (u.device IS NULL OR s.device = u.device)
LEFT JOIN LATERAL (SELECT * FROM needtoknow.withdrawal AS x WHERE x.disclosure_id = d.disclosure_id AND x.device = s.device OFFSET 0) AS w
	ON true
ORDER BY u.ord, d.shared_index, s.release, s.device;

-- name: register_recipients
-- The providers that may be given something for a service now. Walks the recipients, who are few beside what they are given.
SELECT u.ord, count(*) OVER (PARTITION BY u.ord), r.display_name
FROM unnest($1::text[]) WITH ORDINALITY AS u(service, ord)
JOIN needtoknow.recipient AS r ON u.service = ANY (r.services)
WHERE r.kind = 1 AND NOT r.suspended AND r.agreement_from <= statement_timestamp() AND r.agreement_until > statement_timestamp()
ORDER BY u.ord, r.display_name, r.recipient_id;

-- name: register_activation
-- When a policy was put in force the last time.
SELECT u.ord, a.activated_at FROM unnest($1::integer[]) WITH ORDINALITY AS u(policy_number, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.policy_activation AS x WHERE x.policy_number = u.policy_number
	ORDER BY x.ledger_index DESC LIMIT 1) AS a;

-- name: overdue_deletions
-- Orders to delete whose time is over by the database's clock, and which nobody confirmed; the longest overdue first.
SELECT u.ord, w.delete_by, w.disclosure_id, w.device, w.recipient_id, w.cause, w.recorded_at, w.ledger_index
FROM unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::integer[]) WITH ORDINALITY AS u(delete_by, disclosure_id, device, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.withdrawal AS x WHERE x.confirmed_index IS NULL AND x.delete_by < statement_timestamp()
	AND (x.delete_by, x.disclosure_id, x.device) > (u.delete_by, u.disclosure_id, u.device)
	ORDER BY x.delete_by, x.disclosure_id, x.device LIMIT u.amount) AS w
ORDER BY u.ord, w.delete_by, w.disclosure_id, w.device;
