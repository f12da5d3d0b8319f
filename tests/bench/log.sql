-- What pgbench writes: a slim row a request, one index, no proof. It can be changed by whoever can write to it.
CREATE SCHEMA bench;
CREATE TABLE bench.log (
	id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	actor        text        NOT NULL,
	subject_id   text        NOT NULL,
	recipient_id text        NOT NULL,
	service      text        NOT NULL,
	fields       text[]      NOT NULL
);
