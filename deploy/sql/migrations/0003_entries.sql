-- Which entries are about whom. Nothing of it is in the leaves: what is cleared here is forgotten there.
CREATE VIEW needtoknow.entry_of AS
SELECT d.shared_index AS ledger_index, d.disclosure_id, d.subject_id, d.booking_id, d.recipient_id FROM needtoknow.disclosure AS d
UNION ALL
SELECT d.ended_index, d.disclosure_id, d.subject_id, d.booking_id, d.recipient_id FROM needtoknow.disclosure AS d
WHERE d.ended_index IS NOT NULL
UNION ALL
SELECT s.ledger_index, d.disclosure_id, d.subject_id, d.booking_id, d.recipient_id
FROM needtoknow.disclosure AS d JOIN needtoknow.sent AS s ON s.disclosure_id = d.disclosure_id
UNION ALL
-- One acknowledgement may be of several sendings of the same values: it is counted with the last of them.
SELECT s.acknowledged_index, d.disclosure_id, d.subject_id, d.booking_id, d.recipient_id
FROM needtoknow.disclosure AS d JOIN needtoknow.sent AS s ON s.disclosure_id = d.disclosure_id
WHERE s.acknowledged_index IS NOT NULL AND NOT EXISTS (SELECT FROM needtoknow.sent AS later
	WHERE later.disclosure_id = s.disclosure_id AND later.release = s.release AND later.serial = s.serial
		AND later.ledger_index > s.ledger_index AND later.acknowledged_index = s.acknowledged_index)
UNION ALL
SELECT w.ledger_index, d.disclosure_id, d.subject_id, d.booking_id, d.recipient_id
FROM needtoknow.disclosure AS d JOIN needtoknow.withdrawal AS w ON w.disclosure_id = d.disclosure_id
UNION ALL
SELECT w.confirmed_index, d.disclosure_id, d.subject_id, d.booking_id, d.recipient_id
FROM needtoknow.disclosure AS d JOIN needtoknow.withdrawal AS w ON w.disclosure_id = d.disclosure_id WHERE w.confirmed_index IS NOT NULL
UNION ALL
SELECT r.ledger_index, r.disclosure_id, coalesce(r.subject_id, d.subject_id), coalesce(r.booking_id, d.booking_id),
	coalesce(r.recipient_id, d.recipient_id)
FROM needtoknow.entry_reference AS r JOIN needtoknow.disclosure AS d ON d.disclosure_id = r.disclosure_id
UNION ALL
SELECT r.ledger_index, r.disclosure_id, r.subject_id, r.booking_id, r.recipient_id FROM needtoknow.entry_reference AS r
WHERE r.disclosure_id IS NULL;

GRANT SELECT ON needtoknow.entry_of TO :"state_role", :"audit_role";
