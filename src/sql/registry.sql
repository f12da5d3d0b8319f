-- What the registry's methods and the sweeper ask about recipients and their devices. Look-ups are LATERAL with OFFSET 0, for the reason
-- that train.sql gives; what must be there or not is a LIMIT 1, since EXISTS was made a join with all that is live.

-- name: devices_of_recipient
SELECT u.ord, v.device, v.first_seen_at, v.revoked_at
FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u(recipient_id, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.device AS x WHERE x.recipient_id = u.recipient_id ORDER BY x.device LIMIT u.amount) AS v
ORDER BY u.ord, v.device;

-- name: recipients_barred
-- Who was suspended, and which devices were revoked, by entries above an index.
SELECT u.ord, b.changed_index, b.recipient_id, b.device
FROM unnest($1::bigint[]) WITH ORDINALITY AS u(above, ord)
CROSS JOIN LATERAL (
	SELECT r.changed_index, r.recipient_id, NULL::text AS device FROM needtoknow.recipient AS r
	WHERE r.suspended AND r.changed_index > u.above
	UNION ALL
	SELECT v.changed_index, v.recipient_id, v.device FROM needtoknow.device AS v
	WHERE v.changed_index > u.above) AS b;

-- name: recipients_over
-- Recipients that still have something live and are suspended or without an agreement, devices that were revoked and not ordered to delete
-- everything yet, as enum end_why counts them; and when the next agreement ends. One row at least.
SELECT u.ord, statement_timestamp(),
	(SELECT n.agreement_until FROM needtoknow.recipient AS n WHERE n.agreement_until > statement_timestamp()
		ORDER BY n.agreement_until LIMIT 1),
	o.why, o.recipient_id, o.device
FROM unnest($1::integer[]) WITH ORDINALITY AS u(amount, ord)
LEFT JOIN LATERAL (
	(SELECT 2 AS why, r.recipient_id, '' AS device FROM needtoknow.recipient AS r
		WHERE r.suspended AND (SELECT true FROM needtoknow.disclosure AS d WHERE d.recipient_id = r.recipient_id AND d.state = 1
			ORDER BY d.shared_index LIMIT 1)
		LIMIT u.amount)
	UNION ALL
	(SELECT 1, r.recipient_id, '' FROM needtoknow.recipient AS r
		WHERE r.agreement_until <= statement_timestamp() AND NOT r.suspended
			AND (SELECT true FROM needtoknow.disclosure AS d WHERE d.recipient_id = r.recipient_id AND d.state = 1
			ORDER BY d.shared_index LIMIT 1)
		ORDER BY r.agreement_until LIMIT u.amount)
	UNION ALL
	(SELECT 3, v.recipient_id, v.device FROM needtoknow.device AS v WHERE v.revoked_at IS NOT NULL AND v.cleared_at IS NULL LIMIT u.amount)
	LIMIT u.amount) AS o ON true;

-- name: live_of_recipient
-- What is live of a recipient that is suspended or whose agreement has ended (as enum end_why counts them), as ending_read() takes it.
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number, d.starts_at, d.ends_at, d.expires_at, d.created_at,
	k.pseudonym, k.key,
	(SELECT string_agg(h.device, E'\n' ORDER BY h.device) FROM (
		SELECT s.device FROM needtoknow.sent AS s WHERE s.disclosure_id = d.disclosure_id
		EXCEPT SELECT w.device FROM needtoknow.withdrawal AS w WHERE w.disclosure_id = d.disclosure_id) AS h),
	d.subject_id
FROM unnest($1::text[], $2::integer[], $3::integer[]) WITH ORDINALITY AS u(recipient_id, why, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.recipient AS x WHERE x.recipient_id = u.recipient_id OFFSET 0) AS r
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.recipient_id = r.recipient_id AND x.state = 1
	ORDER BY x.shared_index LIMIT u.amount) AS d
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true
WHERE (u.why = 2 AND r.suspended) OR (u.why = 1 AND r.agreement_until <= statement_timestamp())
ORDER BY u.ord, d.shared_index;

-- name: live_of_device
-- What is live and was sent to a revoked device that has not been ordered to delete it, as ending_read() takes it.
SELECT u.ord, d.disclosure_id, d.booking_id, d.recipient_id, d.service, d.policy_number, d.starts_at, d.ends_at, d.expires_at, d.created_at,
	k.pseudonym, k.key, u.device, d.subject_id
FROM unnest($1::text[], $2::text[], $3::integer[]) WITH ORDINALITY AS u(recipient_id, device, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.disclosure AS x WHERE x.recipient_id = u.recipient_id AND x.state = 1
	AND (SELECT true FROM needtoknow.sent AS s WHERE s.disclosure_id = x.disclosure_id AND s.device = u.device LIMIT 1)
	AND (SELECT true FROM needtoknow.withdrawal AS w WHERE w.disclosure_id = x.disclosure_id AND w.device = u.device LIMIT 1) IS NULL
	ORDER BY x.shared_index LIMIT u.amount) AS d
LEFT JOIN LATERAL (SELECT * FROM needtoknow.subject_key AS x WHERE x.subject_id = d.subject_id OFFSET 0) AS k ON true
ORDER BY u.ord, d.shared_index;

-- name: recipient_has_live
SELECT u.ord FROM unnest($1::text[]) WITH ORDINALITY AS u(recipient_id, ord)
WHERE (SELECT true FROM needtoknow.disclosure AS d WHERE d.recipient_id = u.recipient_id AND d.state = 1
	ORDER BY d.shared_index LIMIT 1);

-- name: device_state
-- Of a RevokeDevice: is the recipient known, and the device revoked already?
SELECT u.ord, v.revoked_at IS NOT NULL
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(recipient_id, device, ord)
CROSS JOIN LATERAL (SELECT FROM needtoknow.recipient AS x WHERE x.recipient_id = u.recipient_id OFFSET 0) AS r
LEFT JOIN LATERAL (SELECT * FROM needtoknow.device AS x WHERE x.recipient_id = u.recipient_id AND x.device = u.device OFFSET 0) AS v ON true;

-- name: write_recipient_suspended
UPDATE needtoknow.recipient AS r SET suspended = u.suspended, changed_index = u.changed_index
FROM (SELECT n.suspended, n.changed_index, e.ctid
	FROM unnest($1::text[], $2::boolean[], $3::bigint[]) AS n(recipient_id, suspended, changed_index)
	CROSS JOIN LATERAL (SELECT x.ctid FROM needtoknow.recipient AS x WHERE x.recipient_id = n.recipient_id OFFSET 0) AS e) AS u
WHERE r.ctid = u.ctid;

-- name: write_device_revoked
-- Also one that was never seen: a phone that was stolen before it was used. Nothing is due to it any more.
WITH gone AS (
	DELETE FROM needtoknow.due WHERE ctid = ANY (ARRAY(SELECT e.ctid FROM unnest($1::text[], $2::text[]) AS n(recipient_id, device)
		CROSS JOIN LATERAL (SELECT x.ctid FROM needtoknow.due AS x WHERE x.recipient_id = n.recipient_id AND x.device = n.device
			OFFSET 0) AS e)))
INSERT INTO needtoknow.device (recipient_id, device, first_seen_at, revoked_at, changed_index)
SELECT u.recipient_id, u.device, u.revoked_at, u.revoked_at, u.changed_index
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[]) AS u(recipient_id, device, revoked_at, changed_index)
ON CONFLICT (recipient_id, device) DO UPDATE SET revoked_at = excluded.revoked_at, changed_index = excluded.changed_index;

-- name: write_device_cleared
UPDATE needtoknow.device AS v SET cleared_at = u.cleared_at
FROM (SELECT n.cleared_at, e.ctid FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS n(recipient_id, device, cleared_at)
	CROSS JOIN LATERAL (SELECT x.ctid FROM needtoknow.device AS x WHERE x.recipient_id = n.recipient_id AND x.device = n.device
		OFFSET 0) AS e) AS u
WHERE v.ctid = u.ctid;

-- name: write_sent_left
-- What waits for a time of its own (reopened) goes on waiting for it.
UPDATE needtoknow.sent AS s SET open = s.for_device = '', free_at = CASE WHEN s.reopened THEN s.free_at ELSE u.free_at END
FROM (SELECT n.free_at, e.ctid FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS n(disclosure_id, device, free_at)
	CROSS JOIN LATERAL (SELECT x.ctid, x.device, x.open FROM needtoknow.sent AS x WHERE x.disclosure_id = n.disclosure_id OFFSET 0) AS e
	WHERE e.open AND e.device = n.device) AS u
WHERE s.ctid = u.ctid;
