\set n random(1, least(:clients, 999999))
WITH l AS (
	INSERT INTO bench.log (actor, subject_id, recipient_id, service, fields)
	VALUES ('booking', to_char(:n::int, 'FM"C"000000'), 'sparkle', 'home-cleaning', '{client.given_name,client.home_address,client.phone}')
	RETURNING id)
SELECT l.id, c.given_name, c.home_address, c.phone FROM l, share.client AS c WHERE c.subject_id = to_char(:n::int, 'FM"C"000000');
