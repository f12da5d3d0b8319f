-- What the registry's methods and the sweeper ask about recipients and their devices. Look-ups are LATERAL with OFFSET 0, for the reason
-- that train.sql gives.

-- name: devices_of_recipient
SELECT u.ord, v.device, v.first_seen_at, v.revoked_at
FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS u(recipient_id, amount, ord)
CROSS JOIN LATERAL (SELECT * FROM needtoknow.device AS x WHERE x.recipient_id = u.recipient_id ORDER BY x.device LIMIT u.amount) AS v
ORDER BY u.ord, v.device;
