-- A company, as an example: its own tables, the contract schema `share` over them, and made-up clients and bookings.
--
-- What you write for your own company is the second part alone: one view a source, with the columns that may ever be
-- shared, and the triggers that say what changed. needtoknow reads nothing else and keeps no copy of what it reads.
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

CREATE TABLE company.client (
	subject_id         text PRIMARY KEY, -- C000001: the client number
	given_name         text NOT NULL,
	family_name        text NOT NULL,
	phone              text NOT NULL,
	email              text NOT NULL,
	street             text NOT NULL,
	postal_code        text NOT NULL,
	city               text NOT NULL,
	door_code          text,             -- not every house has one
	iban               text NOT NULL,
	newsletter_consent boolean           -- NULL: never asked, which is no consent
);

CREATE TABLE company.booking (
	booking_id   text PRIMARY KEY, -- B000001
	subject_id   text NOT NULL REFERENCES company.client,
	tasks        text NOT NULL,
	instructions text,
	price        numeric(8, 2)
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
	given_name || ' ' || family_name || ', ' || street || ', ' || postal_code || ' ' || city AS invoice_identity
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
		CASE WHEN (NEW.given_name, NEW.family_name, NEW.street, NEW.postal_code, NEW.city)
			IS DISTINCT FROM (OLD.given_name, OLD.family_name, OLD.street, OLD.postal_code, OLD.city)
			THEN 'invoice_identity' END
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

CREATE FUNCTION company.number(letter text, n bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN letter || lpad(n::text, greatest(6, length(n::text)), '0');

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
INSERT INTO company.client
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
	CASE n % 3 WHEN 1 THEN true WHEN 2 THEN false END
FROM drawn;

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

DROP FUNCTION company.draw, company.made_up_iban, company.number;
CREATE INDEX booking_subject ON company.booking (subject_id);

-- After the first load, which is no change of anything that was delivered.
CREATE TRIGGER client_changed AFTER UPDATE ON company.client
	FOR EACH ROW EXECUTE FUNCTION share.client_changed();
CREATE TRIGGER booking_changed AFTER UPDATE ON company.booking
	FOR EACH ROW EXECUTE FUNCTION share.booking_changed();

RESET ROLE;
COMMIT;

VACUUM ANALYZE company.client, company.booking;
