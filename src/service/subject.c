#include "service/subject.h"

#include "pure/decision.h"
#include "service/batch.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

void subject_read(const PGresult *result, int row, int column, struct subject *out)
{
	out->known = !row_bytes(result, row, column, out->pseudonym, sizeof out->pseudonym) &&
		!row_bytes(result, row, column + 1, out->key, sizeof out->key);
}

void subject_make(struct subject *out)
{
	out->known = false;
	if (RAND_bytes(out->pseudonym, sizeof out->pseudonym) != 1 || RAND_bytes(out->key, sizeof out->key) != 1)
		abort(); /* a pseudonym that can be guessed is none */
}

static unsigned right_bit(char kind, bool purpose_matches)
{
	switch (kind) {
	case '1':
		return SUBJECT_ERASED;
	case '2':
		return SUBJECT_RESTRICTED;
	case '3':
		return purpose_matches ? SUBJECT_OBJECTED : 0;
	case '4':
		return purpose_matches ? SUBJECT_CONSENT_WITHDRAWN : 0;
	default:
		return SUBJECT_RESTRICTED; /* a right that we do not know bars everything */
	}
}

unsigned subject_rights(const PGresult *result, int row, int column, const char *purpose)
{
	unsigned rights = 0;
	if (row_is_null(result, row, column))
		return 0;
	const char *at = PQgetvalue(result, row, column);
	const char *end = at + PQgetlength(result, row, column);
	size_t purpose_length = strlen(purpose);
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		line_end = line_end ? line_end : end;
		const char *of = at + 2 < line_end ? at + 2 : line_end;
		size_t length = (size_t)(line_end - of);
		bool matches = length == 0 || (length == purpose_length && !memcmp(of, purpose, length));
		rights |= right_bit(*at, matches);
		at = line_end + 1;
	}
	return rights;
}
