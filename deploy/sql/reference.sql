-- A company, as an example: its own tables, the contract schema `share` over them, and made-up clients and bookings.
--
-- What you write for your own company is the second part alone: one view a source, with the columns that may ever be
-- shared, the triggers that say what changed, and the functions for clients' rights. needtoknow reads nothing else and
-- keeps no copy of what it reads.
--
--   psql -d company -v clients=1000 -f deploy/sql/reference.sql        (as a superuser; a million take about a minute)
--
-- Nobody here exists: names and streets are drawn by a fixed rule, so client 17 is the same person in every run;
-- the phone numbers are those that the regulator keeps for films (ARCEP decision 2018-0881), the mail domain and the
-- bank are nobody's, the account numbers have right check digits.

\set ON_ERROR_STOP on
\if :{?clients}
\else
\set clients 1000
\endif
SET client_min_messages = warning;

BEGIN;

DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'company_owner') THEN
		CREATE ROLE company_owner NOLOGIN;
	END IF;
END
$$;

-- ------------------------------------------------------------------------------------------------------------------
-- 1. The company's own tables. Yours look different, and stay as they are.
-- ------------------------------------------------------------------------------------------------------------------
CREATE SCHEMA company AUTHORIZATION company_owner;
SET ROLE company_owner;

-- What is erased becomes NULL: a retention period ends for some columns before it does for others.
CREATE TABLE company.client (
	subject_id         text PRIMARY KEY, -- C000001: the client number
	given_name         text,
	family_name        text,
	phone              text,
	email              text,
	street             text,
	postal_code        text,
	city               text,
	door_code          text,             -- not every house has one
	iban               text,
	newsletter_consent boolean,          -- NULL: never asked, which is no consent
	invoice_identity   text,             -- as it stands on the invoices; follows name and address while there are any
	origin             text NOT NULL DEFAULT 'DIRECT' CHECK (origin IN ('DIRECT', 'WEBSITE')),
	registered_at      timestamptz NOT NULL DEFAULT now(),
	notice_version     text,             -- the information of art. 13 that they were shown
	contract_ended_on  date              -- NULL: it lasts
);

CREATE TABLE company.booking (
	booking_id   text PRIMARY KEY, -- B000001
	subject_id   text NOT NULL REFERENCES company.client,
	tasks        text,
	instructions text,
	price        numeric(8, 2)
);

CREATE FUNCTION company.identify() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	NEW.invoice_identity := coalesce(NEW.given_name || ' ' || NEW.family_name || ', ' || NEW.street || ', '
		|| NEW.postal_code || ' ' || NEW.city, NEW.invoice_identity);
	RETURN NEW;
END
$$;
CREATE TRIGGER client_identity BEFORE INSERT OR UPDATE OF given_name, family_name, street, postal_code, city
	ON company.client FOR EACH ROW EXECUTE FUNCTION company.identify();

-- Where a value came from, and when, if it was not with the registration.
CREATE TABLE company.collected (
	subject_id   text NOT NULL REFERENCES company.client,
	column_name  text NOT NULL, -- as the contract names it
	origin       text NOT NULL CHECK (origin IN ('DIRECT', 'WEBSITE')),
	collected_at timestamptz NOT NULL,
	PRIMARY KEY (subject_id, column_name)
);

-- What a law has the company keep longer than the contract lasts, from the close of the financial year.
CREATE TABLE company.legal_period (
	column_name text PRIMARY KEY,
	ground      text NOT NULL,
	law         text NOT NULL,
	period      interval NOT NULL
);
INSERT INTO company.legal_period
SELECT name, 'art. 17(3)(b)', 'Code de commerce L123-22', interval '10 years'
FROM unnest(ARRAY['client.invoice_identity', 'booking.tasks', 'booking.price']) AS name;

-- What was erased for every use but the accounts, and goes from here too when the law's time is over.
CREATE TABLE company.held (
	subject_id   text NOT NULL,
	column_name  text NOT NULL,
	value        text NOT NULL,
	origin       text NOT NULL,
	collected_at timestamptz NOT NULL,
	ground       text NOT NULL,
	law          text NOT NULL,
	since        timestamptz NOT NULL,
	until        timestamptz NOT NULL,
	PRIMARY KEY (subject_id, column_name, since) -- who comes back in between, and goes again, has had two invoices
);
CREATE INDEX held_until ON company.held (until);

-- The information of art. 13 that clients are shown; the latest is in force.
CREATE TABLE company.notice (
	version  text PRIMARY KEY,
	location text NOT NULL,
	since    timestamptz NOT NULL
);
INSERT INTO company.notice VALUES
	('2023-09', 'https://www.maison-claire.example/confidentialite/2023-09', '2023-09-01 00:00:00+02'),
	('2026-05', 'https://www.maison-claire.example/confidentialite', '2026-05-01 00:00:00+02');

-- What was answered under a request key, so that whoever asks again is answered the same. Names, never values.
CREATE TABLE company.answer (
	request_key uuid PRIMARY KEY,
	answer      jsonb NOT NULL,
	answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- ------------------------------------------------------------------------------------------------------------------
-- 2. The contract: what may ever be shared. This part you write.
-- ------------------------------------------------------------------------------------------------------------------
RESET ROLE;
CREATE SCHEMA share AUTHORIZATION company_owner;
SET ROLE company_owner;

-- One view a source: its key, and columns made as coarse as the work allows (a district, where no address is needed).
-- A view runs with its owner's rights, so needtoknow's role needs none on the tables, and gets some of the views'
-- columns alone: `needtoknow policy grants FILE` writes these grants from the policy.
-- The key must be an indexed column of the table, passed through as it is: a lookup by key may not scan.
-- These views hide columns, not rows, so they are not `security_barrier`; such a view could not be joined by key without
-- being read whole.
CREATE VIEW share.client AS
SELECT
	subject_id,
	given_name,
	family_name,
	phone,
	email,
	street || ', ' || postal_code || ' ' || city AS home_address,
	CASE
		WHEN city IN ('Paris', 'Lyon', 'Marseille') AND right(postal_code, 2) = '01' THEN city || ' 1er'
		WHEN city IN ('Paris', 'Lyon', 'Marseille') THEN city || ' ' || right(postal_code, 2)::int || 'e'
		ELSE city
	END AS district,
	door_code,
	iban,
	newsletter_consent,
	invoice_identity
FROM company.client;

-- `subject_id` lets a Share that names another client's booking be refused. The price is here for invoices; as long as no
-- policy names it, needtoknow's role cannot read it.
CREATE VIEW share.booking AS
SELECT booking_id, subject_id, tasks, instructions, price
FROM company.booking;

-- The change queue: which columns, as the contract names them, changed for whom. What was delivered from them is
-- delivered again as a correction (GDPR art. 16, 19), and the row is deleted once that is recorded: needtoknow's role
-- may SELECT and DELETE here. Durable, so a change made while needtoknow is stopped is not lost. It holds names, never
-- values.
CREATE TABLE share.change_queue (
	change_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	subject_id text NOT NULL,
	source     text NOT NULL,   -- as the policy names it
	key        text NOT NULL,   -- the row of that source
	columns    text[] NOT NULL, -- of the view
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- SECURITY DEFINER: whoever may change a client may not therefore write into the queue by hand.
CREATE FUNCTION share.client_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	changed text[] := array_remove(ARRAY[
		CASE WHEN NEW.given_name IS DISTINCT FROM OLD.given_name THEN 'given_name' END,
		CASE WHEN NEW.family_name IS DISTINCT FROM OLD.family_name THEN 'family_name' END,
		CASE WHEN NEW.phone IS DISTINCT FROM OLD.phone THEN 'phone' END,
		CASE WHEN NEW.email IS DISTINCT FROM OLD.email THEN 'email' END,
		CASE WHEN (NEW.street, NEW.postal_code, NEW.city) IS DISTINCT FROM (OLD.street, OLD.postal_code, OLD.city)
			THEN 'home_address' END,
		CASE WHEN (NEW.postal_code, NEW.city) IS DISTINCT FROM (OLD.postal_code, OLD.city) THEN 'district' END,
		CASE WHEN NEW.door_code IS DISTINCT FROM OLD.door_code THEN 'door_code' END,
		CASE WHEN NEW.iban IS DISTINCT FROM OLD.iban THEN 'iban' END,
		CASE WHEN NEW.newsletter_consent IS DISTINCT FROM OLD.newsletter_consent THEN 'newsletter_consent' END,
		CASE WHEN NEW.invoice_identity IS DISTINCT FROM OLD.invoice_identity THEN 'invoice_identity' END
	], NULL);
BEGIN
	IF changed <> '{}' THEN
		INSERT INTO share.change_queue (subject_id, source, key, columns)
		VALUES (NEW.subject_id, 'client', NEW.subject_id, changed);
	END IF;
	RETURN NULL;
END
$$;

CREATE FUNCTION share.booking_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	changed text[] := array_remove(ARRAY[
		CASE WHEN NEW.tasks IS DISTINCT FROM OLD.tasks THEN 'tasks' END,
		CASE WHEN NEW.instructions IS DISTINCT FROM OLD.instructions THEN 'instructions' END,
		CASE WHEN NEW.price IS DISTINCT FROM OLD.price THEN 'price' END
	], NULL);
BEGIN
	IF changed <> '{}' THEN
		INSERT INTO share.change_queue (subject_id, source, key, columns)
		VALUES (NEW.subject_id, 'booking', NEW.booking_id, changed);
	END IF;
	RETURN NULL;
END
$$;

-- Clients' rights (GDPR art. 12 to 21). The role that calls these functions may do nothing else; `needtoknow policy grants
-- FILE --rights-role ROLE` writes its grants. SECURITY DEFINER, so each names the schemas that it means. Those that change
-- something remember what they answered under their request key: needtoknow asks again until it has an answer.

CREATE SEQUENCE company.client_number;
CREATE FUNCTION company.number(letter text, n bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN letter || lpad(n::text, greatest(6, length(n::text)), '0');

-- All that a client's file and bookings hold, as the contract names it, in PostgreSQL's text form. The
-- district follows from the address. A booking's column has a value for each booking: JSON, by booking number.
-- Without a search_path of its own it becomes part of the statement that calls it, which a retention period asks of many.
CREATE FUNCTION company.values_of(subject text) RETURNS TABLE (place int, column_name text, value text)
LANGUAGE sql STABLE AS $$
	SELECT line.*
	FROM company.client AS c
	LEFT JOIN LATERAL (
		SELECT
			jsonb_object_agg(b.booking_id, b.tasks) FILTER (WHERE b.tasks IS NOT NULL)::text AS tasks,
			jsonb_object_agg(b.booking_id, b.instructions) FILTER (WHERE b.instructions IS NOT NULL)::text AS instructions,
			jsonb_object_agg(b.booking_id, b.price) FILTER (WHERE b.price IS NOT NULL)::text AS price
		FROM company.booking AS b WHERE b.subject_id = c.subject_id
	) AS booked ON true
	CROSS JOIN LATERAL (VALUES
		(1, 'client.given_name', c.given_name),
		(2, 'client.family_name', c.family_name),
		(3, 'client.phone', c.phone),
		(4, 'client.email', c.email),
		(5, 'client.home_address', c.street || ', ' || c.postal_code || ' ' || c.city),
		(6, 'client.door_code', c.door_code),
		(7, 'client.iban', c.iban),
		(8, 'client.newsletter_consent', c.newsletter_consent::text),
		(9, 'client.invoice_identity', c.invoice_identity),
		(10, 'booking.tasks', booked.tasks),
		(11, 'booking.instructions', booked.instructions),
		(12, 'booking.price', booked.price)
	) AS line (place, column_name, value)
	WHERE c.subject_id = values_of.subject
$$;

CREATE FUNCTION company.is_empty(subject text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT NOT EXISTS (SELECT FROM company.values_of(subject) AS v WHERE v.value IS NOT NULL)
$$;

-- Until when the law has a column kept, of a client whose contract ends on that day: from the close of that financial year,
-- which is the calendar year here. NULL: no law.
CREATE FUNCTION company.kept_until(name text, contract_end date) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT (date_trunc('year', contract_end::timestamp) + interval '1 year' + p.period) AT TIME ZONE 'Europe/Paris'
	FROM company.legal_period AS p WHERE p.column_name = name
$$;

CREATE FUNCTION share.subject_record(subject text)
RETURNS TABLE (column_name text, value text, origin text, collected_at timestamptz, keep_until timestamptz, keep_because text, held boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT line.column_name, line.value, line.origin, line.collected_at, line.keep_until,
		coalesce(line.law || ': ten years from the close of the financial year', 'the contract'), line.held
	FROM (
		SELECT
			v.place, v.column_name, v.value, coalesce(k.origin, c.origin), coalesce(k.collected_at, c.registered_at),
			coalesce(company.kept_until(v.column_name, c.contract_ended_on),
				(c.contract_ended_on + 1)::timestamp AT TIME ZONE 'Europe/Paris'),
			p.law, false
		FROM company.values_of(subject_record.subject) AS v
		JOIN company.client AS c ON c.subject_id = subject_record.subject
		LEFT JOIN company.collected AS k ON k.subject_id = c.subject_id AND k.column_name = v.column_name
		LEFT JOIN company.legal_period AS p ON p.column_name = v.column_name
		WHERE v.value IS NOT NULL OR NOT EXISTS (
			SELECT FROM company.held AS h WHERE h.subject_id = c.subject_id AND h.column_name = v.column_name)
		UNION ALL
		SELECT 100, h.column_name, h.value, h.origin, h.collected_at, h.until, h.law, true
		FROM company.held AS h WHERE h.subject_id = subject_record.subject
	) AS line (place, column_name, value, origin, collected_at, keep_until, law, held)
	ORDER BY line.place, line.column_name, line.keep_until
$$;

-- A client's file with another value in one column; or what is wrong with the value, and the file as it was.
CREATE FUNCTION company.with_value(INOUT client company.client, name text, value text, OUT problem text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	-- `12 rue des Lilas, 44000 Nantes`
	address text[] := regexp_match(value, '^([^\n]+), (\d{5}) ([^\n,]+)$');
	required CONSTANT text[] := ARRAY['client.given_name', 'client.family_name', 'client.phone', 'client.email', 'client.home_address'];
BEGIN
	IF value IS NULL AND name = ANY (required) THEN
		problem := 'MISSING_COLUMN';
		RETURN;
	END IF;
	problem := CASE WHEN length(value) > 500 OR btrim(value) = '' OR NOT CASE name
		WHEN 'client.phone' THEN value ~ '^\+?[0-9 .()-]{6,30}$'
		WHEN 'client.email' THEN value ~ '^[^@\s]+@[^@\s]+$'
		WHEN 'client.home_address' THEN address IS NOT NULL
		WHEN 'client.iban' THEN value ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9 ]{8,40}$'
		WHEN 'client.newsletter_consent' THEN value IN ('t', 'true', 'f', 'false')
		ELSE true
	END THEN 'BAD_VALUE' END;
	CASE name
		WHEN 'client.given_name' THEN client.given_name := value;
		WHEN 'client.family_name' THEN client.family_name := value;
		WHEN 'client.phone' THEN client.phone := value;
		WHEN 'client.email' THEN client.email := value;
		WHEN 'client.home_address' THEN
			client.street := address[1];
			client.postal_code := address[2];
			client.city := address[3];
		WHEN 'client.door_code' THEN client.door_code := value;
		WHEN 'client.iban' THEN client.iban := value;
		WHEN 'client.newsletter_consent' THEN
			IF problem IS NULL THEN
				client.newsletter_consent := value::boolean;
			END IF;
		ELSE problem := 'UNKNOWN_COLUMN';
	END CASE;
END
$$;

-- What was answered under this key; NULL: nothing yet, and nobody else answers it meanwhile.
CREATE FUNCTION company.answered(key uuid) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('company.answer ' || key, 0));
	RETURN (SELECT a.answer FROM company.answer AS a WHERE a.request_key = key);
END
$$;

CREATE FUNCTION share.register(request_key uuid, origin text, notice_version text, names text[], given text[],
	OUT subject_id text, OUT problem text, OUT column_name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	client company.client;
	filled record; -- client, problem
	name text;
BEGIN
	subject_id := company.answered(request_key) ->> 'subject_id';
	IF subject_id IS NOT NULL THEN
		RETURN;
	END IF;
	FOR place IN 1 .. coalesce(cardinality(names), 0) LOOP
		filled := company.with_value(client, names[place], given[place]);
		client := filled.client;
		IF filled.problem IS NOT NULL THEN
			problem := filled.problem;
			column_name := names[place];
			RETURN;
		END IF;
	END LOOP;
	FOREACH name IN ARRAY ARRAY['client.given_name', 'client.family_name', 'client.phone', 'client.email', 'client.home_address'] LOOP
		IF NOT name = ANY (coalesce(names, '{}')) THEN
			problem := 'MISSING_COLUMN';
			column_name := name;
			RETURN;
		END IF;
	END LOOP;
	client.subject_id := company.number('C', nextval('company.client_number'));
	client.origin := origin;
	client.registered_at := clock_timestamp();
	client.notice_version := notice_version;
	INSERT INTO company.client SELECT client.*;
	subject_id := client.subject_id;
	INSERT INTO company.answer (request_key, answer) VALUES (request_key, jsonb_build_object('subject_id', subject_id));
END
$$;

-- With which columns of the view are others now, whatever it makes of the table's.
CREATE FUNCTION share.rectify(request_key uuid, subject text, name text, new_value text, OUT outcome text, OUT columns text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	answered jsonb := company.answered(request_key);
	old company.client;
	client company.client;
	filled record; -- client, problem
	shown jsonb;   -- what the view had
BEGIN
	IF answered IS NOT NULL THEN
		outcome := answered ->> 'outcome';
		columns := ARRAY(SELECT jsonb_array_elements_text(answered -> 'columns'));
		RETURN;
	END IF;
	columns := '{}';
	SELECT * INTO old FROM company.client AS c WHERE c.subject_id = subject FOR UPDATE;
	IF NOT FOUND THEN
		outcome := 'UNKNOWN_SUBJECT';
		RETURN;
	END IF;
	filled := company.with_value(old, name, new_value);
	IF filled.problem IS NOT NULL THEN
		outcome := CASE filled.problem WHEN 'MISSING_COLUMN' THEN 'BAD_VALUE' ELSE filled.problem END;
		RETURN;
	END IF;
	client := filled.client;
	outcome := CASE WHEN client IS DISTINCT FROM old THEN 'RECTIFIED' ELSE 'UNCHANGED' END;
	IF outcome = 'RECTIFIED' THEN
		SELECT to_jsonb(v) INTO shown FROM share.client AS v WHERE v.subject_id = subject;
		UPDATE company.client AS c SET given_name = client.given_name, family_name = client.family_name, phone = client.phone,
			email = client.email, street = client.street, postal_code = client.postal_code, city = client.city,
			door_code = client.door_code, iban = client.iban, newsletter_consent = client.newsletter_consent
			WHERE c.subject_id = subject;
		INSERT INTO company.collected AS k VALUES (subject, name, 'DIRECT', clock_timestamp())
			ON CONFLICT ON CONSTRAINT collected_pkey DO UPDATE SET origin = excluded.origin, collected_at = excluded.collected_at;
		columns := ARRAY(SELECT 'client.' || line.key
			FROM share.client AS v CROSS JOIN LATERAL jsonb_each(to_jsonb(v)) AS line
			WHERE v.subject_id = subject AND line.value IS DISTINCT FROM shown -> line.key
			ORDER BY line.key);
	END IF;
	INSERT INTO company.answer (request_key, answer)
	VALUES (request_key, jsonb_build_object('outcome', outcome, 'columns', columns));
END
$$;

-- What an erasure of these columns (NULL: of all) comes to. A contract that lasts ends with it.
CREATE FUNCTION company.erasure(subject text, names text[])
RETURNS TABLE (column_name text, outcome text, ground text, law text, since timestamptz, until timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT
		line.column_name, CASE WHEN bool_or(line.until > now()) THEN 'HELD' ELSE 'ERASED' END,
		max(line.ground) FILTER (WHERE line.until > now()), max(line.law) FILTER (WHERE line.until > now()),
		min(line.since) FILTER (WHERE line.until > now()), max(line.until) FILTER (WHERE line.until > now())
	FROM (
		SELECT v.place, v.column_name, p.ground, p.law, now() AS since,
			company.kept_until(v.column_name, coalesce(c.contract_ended_on, (now() AT TIME ZONE 'Europe/Paris')::date)) AS until
		FROM company.values_of(erasure.subject) AS v
		JOIN company.client AS c ON c.subject_id = erasure.subject
		LEFT JOIN company.legal_period AS p ON p.column_name = v.column_name
		WHERE v.value IS NOT NULL
		UNION ALL
		SELECT 100, h.column_name, h.ground, h.law, h.since, h.until
		FROM company.held AS h WHERE h.subject_id = erasure.subject
	) AS line
	WHERE names IS NULL OR line.column_name = ANY (names)
	GROUP BY line.column_name
	ORDER BY min(line.place), line.column_name
$$;

CREATE FUNCTION share.erase(request_key uuid, subject text, names text[], dry_run boolean)
RETURNS TABLE (column_name text, outcome text, ground text, law text, since timestamptz, until timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	answer jsonb;
	gone text[];
BEGIN
	IF dry_run THEN
		RETURN QUERY SELECT * FROM company.erasure(subject, names);
		RETURN;
	END IF;
	answer := company.answered(erase.request_key);
	IF answer IS NULL THEN
		PERFORM FROM company.client AS c WHERE c.subject_id = subject FOR UPDATE;
		SELECT jsonb_agg(e), array_agg(e.column_name) INTO answer, gone FROM company.erasure(subject, names) AS e;
		IF answer IS NULL THEN
			RETURN;
		END IF;
		DELETE FROM company.held AS h WHERE h.subject_id = subject AND h.until <= now() AND h.column_name = ANY (gone);
		INSERT INTO company.held
		SELECT subject, v.column_name, v.value, coalesce(k.origin, c.origin), coalesce(k.collected_at, c.registered_at),
			e.ground, e.law, clock_timestamp(), e.until
		FROM company.erasure(subject, names) AS e
		JOIN company.values_of(subject) AS v ON v.column_name = e.column_name AND v.value IS NOT NULL
		JOIN company.client AS c ON c.subject_id = subject
		LEFT JOIN company.collected AS k ON k.subject_id = c.subject_id AND k.column_name = v.column_name
		WHERE e.outcome = 'HELD';
		PERFORM company.remove(subject, names);
		INSERT INTO company.answer (request_key, answer) VALUES (erase.request_key, answer);
	END IF;
	RETURN QUERY SELECT r.column_name, r.outcome, r.ground, r.law, r.since, r.until
		FROM jsonb_to_recordset(answer) AS r (column_name text, outcome text, ground text, law text, since timestamptz, until timestamptz);
END
$$;

-- Out of the tables that the views show. NULL: the client's file and bookings whole.
CREATE FUNCTION company.remove(subject text, names text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	DELETE FROM company.booking AS b WHERE b.subject_id = subject AND names IS NULL;
	DELETE FROM company.collected AS k WHERE k.subject_id = subject AND (names IS NULL OR k.column_name = ANY (names));
	DELETE FROM company.client AS c WHERE c.subject_id = subject AND names IS NULL;
	UPDATE company.booking AS b SET
		tasks = CASE WHEN 'booking.tasks' = ANY (names) THEN NULL ELSE b.tasks END,
		instructions = CASE WHEN 'booking.instructions' = ANY (names) THEN NULL ELSE b.instructions END,
		price = CASE WHEN 'booking.price' = ANY (names) THEN NULL ELSE b.price END
	WHERE b.subject_id = subject;
	UPDATE company.client AS c SET
		given_name = CASE WHEN 'client.given_name' = ANY (names) THEN NULL ELSE c.given_name END,
		family_name = CASE WHEN 'client.family_name' = ANY (names) THEN NULL ELSE c.family_name END,
		phone = CASE WHEN 'client.phone' = ANY (names) THEN NULL ELSE c.phone END,
		email = CASE WHEN 'client.email' = ANY (names) THEN NULL ELSE c.email END,
		street = CASE WHEN 'client.home_address' = ANY (names) THEN NULL ELSE c.street END,
		postal_code = CASE WHEN 'client.home_address' = ANY (names) THEN NULL ELSE c.postal_code END,
		city = CASE WHEN 'client.home_address' = ANY (names) THEN NULL ELSE c.city END,
		door_code = CASE WHEN 'client.door_code' = ANY (names) THEN NULL ELSE c.door_code END,
		iban = CASE WHEN 'client.iban' = ANY (names) THEN NULL ELSE c.iban END,
		newsletter_consent = CASE WHEN 'client.newsletter_consent' = ANY (names) THEN NULL ELSE c.newsletter_consent END
	WHERE c.subject_id = subject;
	-- After the names and the address, which it would follow.
	UPDATE company.client AS c SET invoice_identity = NULL
	WHERE c.subject_id = subject AND 'client.invoice_identity' = ANY (names);
	-- Where nothing is left of a client, neither are their numbers.
	DELETE FROM company.booking AS b WHERE b.subject_id = subject AND company.is_empty(subject);
	DELETE FROM company.collected AS k WHERE k.subject_id = subject AND company.is_empty(subject);
	DELETE FROM company.client AS c WHERE c.subject_id = subject AND company.is_empty(subject);
$$;

-- `+33639980123`, however it was typed: a number without a country is a French one.
CREATE FUNCTION share.contacts(subject text) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT lower(btrim(c.email)) FROM company.client AS c WHERE c.subject_id = contacts.subject AND c.email IS NOT NULL
	UNION ALL
	SELECT '+' || regexp_replace(regexp_replace(c.phone, '\(0\)|[^0-9]', '', 'g'),
		CASE WHEN c.phone ~ '^\s*\+' THEN '^$' WHEN c.phone ~ '^\s*00' THEN '^00' ELSE '^0?' END,
		CASE WHEN c.phone ~ '^\s*(\+|00)' THEN '' ELSE '33' END)
	FROM company.client AS c WHERE c.subject_id = contacts.subject AND c.phone IS NOT NULL
$$;

CREATE FUNCTION share.notice_in_force() RETURNS TABLE (version text, location text, since timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT n.version, n.location, n.since FROM company.notice AS n WHERE n.since <= now() ORDER BY n.since DESC LIMIT 1
$$;

CREATE FUNCTION share.retention_due(names text[], anchor text, after interval, amount int)
RETURNS TABLE (subject_id text, columns text[], since timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT due.subject_id, due.columns, due.since
	FROM (
		SELECT c.subject_id, there.columns, over.since
		FROM company.client AS c
		CROSS JOIN LATERAL (SELECT CASE anchor
			WHEN 'contract-end' THEN c.contract_ended_on::timestamp + interval '1 day' + after
			WHEN 'financial-year-end' THEN date_trunc('year', c.contract_ended_on::timestamp) + interval '1 year' + after
		END AT TIME ZONE 'Europe/Paris' AS since) AS over
		CROSS JOIN LATERAL (
			SELECT array_agg(v.column_name ORDER BY v.place) AS columns
			FROM company.values_of(c.subject_id) AS v
			WHERE v.value IS NOT NULL AND v.column_name = ANY (names)
		) AS there
		WHERE c.contract_ended_on IS NOT NULL AND over.since <= now() AND there.columns IS NOT NULL
		UNION ALL
		SELECT h.subject_id, array_agg(h.column_name ORDER BY h.column_name), min(h.until)
		FROM company.held AS h
		WHERE anchor = 'held' AND h.until + after <= now() AND (names IS NULL OR names = '{}' OR h.column_name = ANY (names))
		GROUP BY h.subject_id
	) AS due
	ORDER BY due.since, due.subject_id
	LIMIT amount
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA share FROM PUBLIC;

-- ------------------------------------------------------------------------------------------------------------------
-- 3. Made-up clients, one booking each: B000017 is C000017's.
-- ------------------------------------------------------------------------------------------------------------------

-- A number from 1 to `size` (at most 10,000): two bytes of a client's hash, another two for each question.
CREATE FUNCTION company.draw(hash bytea, question int, size int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1 + (get_byte(hash, 2 * question) * 256 + get_byte(hash, 2 * question + 1)) % size;

-- The key that ends a French account number: 97 - (89 bank + 15 branch + 3 account) mod 97, after which the check digits
-- of the IBAN are always 76.
CREATE FUNCTION company.made_up_iban(n bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	SELECT 'FR76' || '99999' || to_char(branch, 'FM00000') || to_char(account, 'FM00000000000')
		|| to_char(97 - (89 * 99999 + 15 * branch + 3 * account) % 97, 'FM00')
	FROM (SELECT 100 + n * 7919 % 9900 AS branch, n * 48271048271 % 99999999977 AS account) AS numbers
);

WITH lists AS MATERIALIZED (
	SELECT
		ARRAY['Camille', 'Léa', 'Hugo', 'Manon', 'Louis', 'Chloé', 'Jules', 'Inès', 'Gabriel', 'Zoé', 'Arthur', 'Sarah',
			'Nathan', 'Jeanne', 'Paul', 'Fatima', 'Adam', 'Louise', 'Mehdi', 'Hélène', 'Antoine', 'Agnès', 'Karim',
			'Élodie', 'Mathis', 'Nadia', 'François', 'Aurélie', 'Yanis', 'Margaux', 'Benoît', 'Awa', 'Clément',
			'Maëlle', 'Rachid', 'Joséphine', 'Étienne', 'Linh', 'Olivier', 'Rose', 'Samuel', 'Yasmine'] AS given,
		ARRAY['Martin', 'Bernard', 'Thomas', 'Petit', 'Robert', 'Richard', 'Durand', 'Dubois', 'Moreau', 'Laurent',
			'Simon', 'Michel', 'Lefèvre', 'Leroy', 'Roux', 'David', 'Bertrand', 'Morel', 'Fournier', 'Girard',
			'Bonnet', 'Dupont', 'Lambert', 'Fontaine', 'Rousseau', 'Vincent', 'Müller', 'Lefebvre', 'Faure', 'André',
			'Mercier', 'Blanc', 'Guérin', 'Boyer', 'Garnier', 'Chevalier', 'Legrand', 'Gauthier', 'Garcia', 'Perrin',
			'Benali', 'Nguyen', 'Diallo', 'Da Silva', 'Haddad', 'Traoré', 'Le Goff', 'd''Aubigné'] AS family,
		ARRAY['rue des Lilas', 'rue Victor-Hugo', 'avenue Jean-Jaurès', 'rue de la République', 'place de l''Église',
			'boulevard Voltaire', 'rue Pasteur', 'rue du Moulin', 'allée des Tilleuls', 'rue des Écoles',
			'quai de la Gare', 'rue Gambetta', 'impasse du Puits', 'rue Émile-Zola', 'cours Lafayette',
			'chemin des Vignes', 'rue Sainte-Catherine', 'rue du Faubourg-Saint-Antoine', 'rue des Martyrs',
			'rue Saint-Honoré'] AS streets,
		ARRAY['44000 Nantes', '33000 Bordeaux', '59000 Lille', '31000 Toulouse', '67000 Strasbourg', '35000 Rennes',
			'34000 Montpellier', '38000 Grenoble', '21000 Dijon', '49000 Angers', '06000 Nice', '76600 Le Havre'] AS towns,
		ARRAY['063998', '019900', '026191', '035301', '046571', '053649'] AS prefixes
), drawn AS (
	SELECT
		n,
		hash,
		given[company.draw(hash, 0, array_length(given, 1))] AS given_name,
		family[company.draw(hash, 1, array_length(family, 1))] AS family_name,
		prefixes[company.draw(hash, 2, array_length(prefixes, 1))] || to_char(company.draw(hash, 3, 10000) - 1, 'FM0000') AS phone,
		company.draw(hash, 4, 180) || ' ' || streets[company.draw(hash, 5, array_length(streets, 1))] AS street,
		CASE company.draw(hash, 6, 5)
			WHEN 1 THEN to_char(75000 + company.draw(hash, 7, 20), 'FM00000') || ' Paris'
			WHEN 2 THEN to_char(75000 + company.draw(hash, 7, 20), 'FM00000') || ' Paris'
			WHEN 3 THEN to_char(69000 + company.draw(hash, 7, 9), 'FM00000') || ' Lyon'
			WHEN 4 THEN to_char(13000 + company.draw(hash, 7, 16), 'FM00000') || ' Marseille'
			ELSE towns[company.draw(hash, 7, array_length(towns, 1))]
		END AS place
	FROM lists, generate_series(1, :clients::bigint) AS n, sha256(int8send(n)) AS hash
)
INSERT INTO company.client (subject_id, given_name, family_name, phone, email, street, postal_code, city, door_code, iban,
	newsletter_consent, origin, registered_at, notice_version)
SELECT
	company.number('C', n),
	given_name,
	family_name,
	regexp_replace(phone, '(..)(..)(..)(..)(..)', '\1 \2 \3 \4 \5'),
	lower(translate(given_name || '.' || family_name, 'ÉéèëïîôüçâàÈÊê ''', 'eeeeiioucaaeee--')) || n || '@courriel.example',
	street,
	left(place, 5),
	substr(place, 7),
	-- Every eighth house has no door code. Client 1 has one.
	CASE WHEN n % 8 <> 0 THEN to_char(company.draw(hash, 8, 10000) - 1, 'FM0000') || chr(64 + company.draw(hash, 9, 2)) END,
	company.made_up_iban(n),
	-- Clients 1, 4, 7, ... agreed to the newsletter, 2, 5, 8, ... said no, 3, 6, 9, ... were never asked.
	CASE n % 3 WHEN 1 THEN true WHEN 2 THEN false END,
	-- Every other one signed up on the website.
	CASE n % 2 WHEN 0 THEN 'WEBSITE' ELSE 'DIRECT' END,
	timestamptz '2024-01-08 10:00:00+01' + n % 500 * interval '1 day',
	'2023-09'
FROM drawn;
SELECT setval('company.client_number', :clients::bigint) \g /dev/null

INSERT INTO company.booking
SELECT
	company.number('B', n),
	company.number('C', n),
	(ARRAY['Ménage complet, 3 h', 'Ménage, vitres comprises, 4 h', 'Repassage, 2 h', 'Tonte de la pelouse et taille de la haie',
		'Ramassage des feuilles', 'Grand nettoyage de printemps'])[company.draw(hash, 10, 6)],
	(ARRAY['Le chat ne doit pas sortir.', 'Sonner deux fois, la sonnette est faible.', 'Les produits sont sous l''évier.',
		'Bébé dort jusqu''à 15 h, merci de ne pas sonner.', 'Arroser les plantes du balcon.', NULL])[company.draw(hash, 11, 6)],
	50 + company.draw(hash, 12, 200)
FROM generate_series(1, :clients::bigint) AS n, sha256(int8send(n)) AS hash;

DROP FUNCTION company.draw, company.made_up_iban;
CREATE INDEX booking_subject ON company.booking (subject_id);
CREATE INDEX client_ended ON company.client (contract_ended_on) WHERE contract_ended_on IS NOT NULL;

-- After the first load, which is no change of anything that was delivered.
CREATE TRIGGER client_changed AFTER UPDATE ON company.client
	FOR EACH ROW EXECUTE FUNCTION share.client_changed();
CREATE TRIGGER booking_changed AFTER UPDATE ON company.booking
	FOR EACH ROW EXECUTE FUNCTION share.booking_changed();

RESET ROLE;
COMMIT;

VACUUM ANALYZE company.client, company.booking;
