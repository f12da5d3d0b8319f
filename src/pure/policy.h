#ifndef NEEDTOKNOW_PURE_POLICY_H
#define NEEDTOKNOW_PURE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The policy: which fields a service needs, and when. Immutable once parsed; whatever is unknown, missing or misspelt
 * in the file refuses the whole file. Field names and moments are resolved at parsing, so that a decision looks up one
 * service and walks arrays.
 */
struct policy;

enum legal_basis { /* GDPR art. 6(1) */
	LEGAL_BASIS_CONTRACT,
	LEGAL_BASIS_CONSENT,
	LEGAL_BASIS_LEGITIMATE_INTEREST,
	LEGAL_BASIS_LEGAL_OBLIGATION,
	LEGAL_BASIS_VITAL_INTEREST,
	LEGAL_BASIS_PUBLIC_TASK,
};
const char *legal_basis_name(enum legal_basis basis); /* as the policy file writes it */

enum recipient_kind { /* the numbers of needtoknow.v1.RecipientKind */
	RECIPIENT_KIND_PROVIDER = 1,
	RECIPIENT_KIND_STAFF = 2,
};

/* `booked`, `start`, `end`, with an offset. */
struct moment {
	enum moment_anchor {
		MOMENT_BOOKED,
		MOMENT_START,
		MOMENT_END
	} anchor;
	int64_t offset; /* microseconds */
};
int64_t moment_at(const struct moment *moment, int64_t booked, int64_t starts_at, int64_t ends_at);
/* When a release is due: the last of its moments, and not before the booking. */
struct policy_release;
int64_t release_due_at(const struct policy_release *release, int64_t booked, int64_t starts_at, int64_t ends_at);
#define MOMENT_TEXT_MAX 40
void moment_format(const struct moment *moment, char out[MOMENT_TEXT_MAX]); /* `start-24h` */

struct policy_source {
	const char *name;
	const char *schema, *view; /* `share.client` is split at the dot */
	const char *key;
	const char *subject; /* the column that says whose row it is; NULL in the subjects' own source */
};

struct policy_field {
	const char *name; /* `source.column` */
	const struct policy_source *source;
	const char *column;
};

#define POLICY_RELEASES_MAX 16 /* of a service */
#define POLICY_FIELDS_MAX 64 /* of a release */

struct policy_release {
	const char *name;
	struct moment at;
	/* Of one that a narrower policy has changed (policy_narrow.h): and none of these has still to come. */
	size_t later_count;
	const struct moment *later;
	bool sensitive;
	size_t field_count;
	const struct policy_field *const *fields; /* in the file's order */
};

struct policy_service {
	const char *name, *title, *purpose;
	enum legal_basis legal_basis;
	enum recipient_kind recipients;
	int64_t max_duration; /* microseconds of a booking's window; INT64_MAX without one */
	const struct policy_field *requires; /* a boolean column, or NULL */
	bool needs_booking; /* false with `booking: none` */
	size_t release_count;
	const struct policy_release *releases;
	struct moment expires;
	int64_t delete_within; /* microseconds after the withdrawal */
};

/* Where and how a file is wrong; a message says what was found, what is allowed and the nearest known name. */
struct policy_error {
	int line, column; /* from 1; 0 when it is about no place in particular */
	char message[512];
};

/*
 * The file's bytes -> a policy, which keeps a copy of them. NULL and *error when anything is wrong. `file` is for
 * nothing but messages' sake and may be NULL.
 */
struct policy *policy_parse(const char *text, size_t length, struct policy_error *error);
/* NULL is allowed. */
void policy_free(struct policy *policy);

const char *policy_text(const struct policy *policy, size_t *length);
const uint8_t *policy_digest(const struct policy *policy); /* SHA-256 of the text, 32 bytes */
const char *policy_controller(const struct policy *policy);

/* NULL when there is none of that name. */
const struct policy_service *policy_service(const struct policy *policy, const char *name);
size_t policy_service_count(const struct policy *policy);
const struct policy_service *policy_service_at(const struct policy *policy, size_t index); /* in the file's order */

size_t policy_source_count(const struct policy *policy);
const struct policy_source *policy_source_at(const struct policy *policy, size_t index);
const struct policy_source *policy_subjects(const struct policy *policy); /* the source that says who exists */
const struct policy_source *policy_bookings(const struct policy *policy); /* the source with a `subject`, or NULL */

/* Every field that any release or `requires` names, once. */
size_t policy_field_count(const struct policy *policy);
const struct policy_field *policy_field_at(const struct policy *policy, size_t index);

int64_t policy_acknowledge_within(const struct policy *policy); /* microseconds */

/* GDPR art. 30(1)(a), (g). */
const char *policy_data_protection_officer(const struct policy *policy);
size_t policy_security_measure_count(const struct policy *policy);
const char *policy_security_measure_at(const struct policy *policy, size_t index);

/* How long something is kept, and why (art. 5(1)(e), 30(1)(f)). Over a year there is always a reason. */
struct policy_period {
	int64_t keep; /* microseconds */
	const char *text; /* as the file writes it, `5y` */
	const char *because; /* or NULL */
};

/* Columns of the company's own, swept through the contract's functions: nothing here reads them. */
struct policy_column_retention {
	size_t field_count;
	const struct policy_field *fields;
	enum retention_anchor {
		RETENTION_CONTRACT_END,
		RETENTION_FINANCIAL_YEAR_END
	} anchor;
	struct policy_period after; /* the anchor; its text has the anchor in it, `financial-year-end+10y` */
};

/* As the policy file writes it. */
const char *retention_anchor_name(enum retention_anchor anchor);

struct policy_retention {
	struct policy_period disclosures;
	struct policy_period ledger_bodies;
	struct policy_period subject_key_after_erasure;
	struct policy_period backups;
	size_t column_count;
	const struct policy_column_retention *columns;
};
const struct policy_retention *policy_retention(const struct policy *policy);

#endif
