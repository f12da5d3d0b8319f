#ifndef NEEDTOKNOW_SERVICE_SUBJECT_H
#define NEEDTOKNOW_SERVICE_SUBJECT_H

#include "pure/policy.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* What makes a subject's entries theirs, and which of their rights are in force. */
struct subject {
	bool known; /* it has a key already */
	uint8_t pseudonym[16];
	uint8_t key[32];
};

/* From two columns of a row (pseudonym, key); `known` is false when they are NULL. */
void subject_read(const PGresult *result, int row, int column, struct subject *out);
/* A new one, random. */
void subject_make(struct subject *out);

/*
 * From the column of rights in force (a line `<kind> <purpose>` each; NULL: none) -> bits of enum subject_right that
 * bar this purpose under this legal basis. An objection to every purpose ('') bars where one may object at all: art.
 * 21(1), (2).
 */
unsigned subject_rights(const PGresult *result, int row, int column, const char *purpose);

#endif
