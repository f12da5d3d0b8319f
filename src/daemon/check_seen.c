#include "daemon/check_seen.h"

#include "pure/checkpoint_rule.h"
#include "service/batch.h"
#include "service/seen_checkpoint.h"

#include <inttypes.h>
#include <stdio.h>

#define LINE_MAX_BYTES 800

static void compare(const char *state_dir, const struct checkpoint *seen, const struct checkpoint *published,
	uint64_t entries, const struct check_report *report)
{
	char line[LINE_MAX_BYTES] = "";
	switch (checkpoint_rule(seen, published, entries)) {
	case CHECKPOINT_GOOD:
	case CHECKPOINT_ASK_TREE:
	case CHECKPOINT_ASK_ENTRIES:
		return; /* as far as sizes tell */
	case CHECKPOINT_OLDER:
		snprintf(line, sizeof line,
			"database.state: the ledger has %" PRIu64 " entries, fewer than the checkpoint of %" PRIu64
			" in %s/checkpoint: no checkpoint will be signed; is this an older copy of the database?",
			entries, seen->size, state_dir);
		break;
	case CHECKPOINT_AHEAD:
		snprintf(line, sizeof line,
			"database.state: the ledger has %" PRIu64
			" entries, fewer than its last checkpoint, of %" PRIu64 ": no checkpoint will be signed",
			entries, published->size);
		break;
	case CHECKPOINT_FORK:
		snprintf(line, sizeof line,
			"database.state: the last checkpoint, of %" PRIu64 " entries, has another root than the one in "
			"%s/checkpoint: no checkpoint will be signed; is this another ledger?",
			published->size, state_dir);
		break;
	}
	report->say(report->context, CHECK_GOOD, line);
}

void check_seen(const struct configuration *configuration, const PGresult *news, const struct check_report *report)
{
	char error[600], line[LINE_MAX_BYTES];
	struct note_verifier verifiers[SIGNING_KEYS_MAX];
	struct checkpoint published = { .size = 0 };
	size_t count = configuration->ledger.signing_key_count;
	for (size_t i = 0; i < count; i++)
		verifiers[i] = configuration->ledger.signing_keys[i].public;
	struct seen_checkpoint *seen = seen_checkpoint_new(configuration->state_dir, verifiers, count);
	if (seen_checkpoint_load(seen, error, sizeof error) != 0) {
		snprintf(line, sizeof line, "state_dir: %s: no checkpoint will be signed", error);
		report->say(report->context, CHECK_GOOD, line);
	} else if (PQntuples(news) == 1) {
		if (!row_is_null(news, 0, 2) &&
			!row_bytes(news, 0, 3, published.root.bytes, sizeof published.root.bytes))
			published.size = (uint64_t)row_int(news, 0, 2);
		compare(configuration->state_dir, seen_checkpoint_last(seen), published.size ? &published : NULL,
			(uint64_t)row_int(news, 0, 0), report);
	}
	seen_checkpoint_free(seen);
}
