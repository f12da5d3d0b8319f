#include "daemon/doctor_ledger.h"

#include "daemon/check_seen.h"
#include "daemon/migrate.h"
#include "pure/retention.h"
#include "service/seen_checkpoint.h"

#include <inttypes.h>
#include <string.h>

#define SIGNED_WITHIN 60 /* seconds, of what was recorded; it takes about one */
#define DIGEST_BYTES 32
#define DIGEST_TEXT (2 * DIGEST_BYTES + 1)
#define OWNER_MAX 512
#define COUNTED_MAX 100000 /* by doctor_ledger */

static void hex(const uint8_t bytes[DIGEST_BYTES], char out[DIGEST_TEXT])
{
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* ---- migrations ---- */

/* false: a finding says that this one is another. */
static bool migration_agrees(
	struct doctor *doctor, const struct doctor_database *database, const PGresult *applied, int row)
{
	char digest[MIGRATE_DIGEST_SIZE];
	const char *number = PQgetvalue(applied, row, 0), *name = PQgetvalue(applied, row, 1);
	if (doctor_number(applied, row, 0) != row + 1) {
		doctor_find(doctor, DOCTOR_WRONG, database->about, "needtoknow.migration has no line %d, but a line %s",
			row + 1, number);
		doctor_mend(doctor, "restore needtoknow.migration from a backup");
		return false;
	}
	migrate_digest(&migrations[row], digest);
	if (strcmp(PQgetvalue(applied, row, 2), digest) == 0)
		return true;
	doctor_find(doctor, DOCTOR_WRONG, database->about,
		"migration %s %s was applied with another text than the one in this program", number, name);
	doctor_mend(doctor, "install the needtoknowd that applied it, or a later release, than " NEEDTOKNOW_VERSION);
	return false;
}

static void examine_migrations(struct doctor *doctor, struct doctor_database *database)
{
	char owner[OWNER_MAX];
	PGresult *applied = doctor_ask(doctor, database, &sql_doctor_migrations, NULL);
	if (!applied)
		return;
	int count = PQntuples(applied);
	bool agree = true;
	doctor_owner(database, NULL, owner, sizeof owner);
	for (int row = 0; row < count && row < migration_count; row++)
		agree = migration_agrees(doctor, database, applied, row) && agree;
	if (count > migration_count) {
		doctor_find(doctor, DOCTOR_WRONG, database->about,
			"the schema is at version %d, this program knows version %d", count, migration_count);
		doctor_mend(doctor, "install the needtoknowd that brought it there, or a later release");
	} else if (count < migration_count) {
		doctor_find(doctor, DOCTOR_WRONG, database->about,
			"the schema is at version %d, this program needs version %d", count, migration_count);
		doctor_mend(doctor, "needtoknowd migrate --dsn '%s'", owner);
	} else if (agree) {
		doctor_find(doctor, DOCTOR_OK, database->about,
			"schema needtoknow is at version %d, as this program has it", count);
	}
	PQclear(applied);
}

/* ---- the ledger and what was seen of it ---- */

/* The published checkpoint of the size that was seen, when there is one, has the root that was seen. */
static bool root_agrees(struct doctor *doctor, struct doctor_database *database, const struct checkpoint *seen)
{
	char size[24], root[DIGEST_TEXT];
	snprintf(size, sizeof size, "%" PRIu64, seen->size);
	PGresult *result = doctor_ask(doctor, database, &sql_doctor_checkpoint, (const char *const[]){ size });
	hex(seen->root.bytes, root);
	bool agrees = result && (PQntuples(result) == 0 || strcmp(PQgetvalue(result, 0, 0), root) == 0);
	if (result && !agrees)
		doctor_find(doctor, DOCTOR_WRONG, "ledger",
			"the checkpoint of %s entries has another root than the one that was seen: this is another "
			"ledger",
			size);
	PQclear(result);
	return agrees;
}

/* As the daemon would decide, and by the root at the size that was seen too. */
static bool compare_seen(struct doctor *doctor, struct doctor_database *database)
{
	const struct configuration *configuration = doctor_configuration(doctor);
	struct note_verifier verifiers[SIGNING_KEYS_MAX];
	size_t count = configuration->ledger.signing_key_count;
	char error[600];
	struct doctor_relay relay = { .doctor = doctor, .about = "ledger", .warning = DOCTOR_WRONG };
	PGresult *news =
		PQexecParams(database->connection, sql_signer_news.text, 0, NULL, NULL, NULL, NULL, 1 /* binary */);
	if (PQresultStatus(news) == PGRES_TUPLES_OK)
		check_seen(configuration, news, &(struct check_report){ .say = doctor_relay, .context = &relay });
	PQclear(news);
	if (relay.lines)
		return false;
	for (size_t i = 0; i < count; i++)
		verifiers[i] = configuration->ledger.signing_keys[i].public;
	struct seen_checkpoint *seen = seen_checkpoint_new(configuration->state_dir, verifiers, count);
	bool good = seen_checkpoint_load(seen, error, sizeof error) == 0;
	const struct checkpoint *last = good ? seen_checkpoint_last(seen) : NULL;
	if (last)
		good = root_agrees(doctor, database, last);
	else if (good)
		doctor_find(doctor, DOCTOR_WARNING, "state_dir",
			"no checkpoint was kept there yet: the daemon does so within seconds of its first start");
	if (last && good)
		doctor_find(doctor, DOCTOR_OK, "ledger",
			"it goes on from the checkpoint of %" PRIu64 " entries in state_dir", last->size);
	seen_checkpoint_free(seen);
	return good;
}

static void examine_signing(struct doctor *doctor, const PGresult *ledger)
{
	int64_t size = doctor_number(ledger, 0, 0), recorded = doctor_number(ledger, 0, 1);
	int64_t signed_size = doctor_number(ledger, 0, 2), signed_ago = doctor_number(ledger, 0, 3);
	if (size > signed_size && recorded > SIGNED_WITHIN) {
		doctor_find(doctor, DOCTOR_WRONG, "ledger",
			"%" PRId64 " entries are not signed, the last for %" PRId64
			" s; the last checkpoint is %" PRId64 " s old",
			size - signed_size, recorded, signed_ago);
		doctor_mend(doctor, "systemctl restart needtoknowd; journalctl -u needtoknowd | grep sign");
	} else {
		doctor_find(doctor, DOCTOR_OK, "ledger",
			"%" PRId64 " entries, %" PRId64 " of them signed; the last checkpoint is %" PRId64 " s old",
			size, signed_size, signed_ago);
	}
}

static void examine_figures(struct doctor *doctor, const PGresult *ledger)
{
	int64_t pruned = doctor_number(ledger, 0, 4), overdue = doctor_number(ledger, 0, 5);
	if (pruned)
		doctor_find(doctor, DOCTOR_OK, "retention", "bodies of entries below %" PRId64 " may be gone", pruned);
	doctor_find(doctor, DOCTOR_OK, "retention",
		overdue ? "%s%" PRId64 " deletions are overdue and not confirmed: needtoknow audit overdue lists them"
			: "%s%" PRId64 " deletions are overdue",
		overdue == COUNTED_MAX ? "at least " : "", overdue);
}

static void examine_room(struct doctor *doctor, struct doctor_database *database)
{
	char owner[OWNER_MAX];
	PGresult *growth = doctor_ask(doctor, database, &sql_maintain_growth, NULL);
	if (!growth || PQntuples(growth) != 1) {
		PQclear(growth);
		return;
	}
	uint64_t size = (uint64_t)doctor_number(growth, 0, 0), day = (uint64_t)doctor_number(growth, 0, 1);
	uint64_t end = (uint64_t)doctor_number(growth, 0, 2), there = end / LEDGER_PARTITION;
	PQclear(growth);
	doctor_owner(database, NULL, owner, sizeof owner);
	enum doctor_status status = partitions_are_short(size, end) ? DOCTOR_WRONG
		: there < partitions_wanted(size, day)              ? DOCTOR_WARNING
								    : DOCTOR_OK;
	doctor_find(doctor, status, "ledger", "%" PRIu64 " partitions: room for %" PRIu64 " entries more", there,
		end > size ? end - size : 0);
	if (status != DOCTOR_OK)
		doctor_mend(doctor, "needtoknowd maintain --dsn '%s'", owner);
}

static void examine_ledger(struct doctor *doctor, struct doctor_database *database)
{
	if (!compare_seen(doctor, database))
		doctor_mend(doctor,
			"name the right database in database.state, or restore its newest backup; doc/needtoknowd.8, "
			"CHECKPOINTS");
	PGresult *ledger = doctor_ask(doctor, database, &sql_doctor_ledger, NULL);
	if (ledger && PQntuples(ledger) == 1) {
		examine_signing(doctor, ledger);
		examine_figures(doctor, ledger);
	} else if (ledger) {
		doctor_find(doctor, DOCTOR_WRONG, "ledger", "needtoknow.head does not hold one row");
		doctor_mend(doctor, "restore the database from its newest backup");
	}
	PQclear(ledger);
	examine_room(doctor, database);
}

/* ---- the policy in force ---- */

static void examine_policy(struct doctor *doctor, struct doctor_database *database)
{
	char digest[DIGEST_TEXT];
	const char *path = doctor_configuration(doctor)->policy;
	if (!doctor_policy(doctor))
		return;
	hex(policy_digest(doctor_policy(doctor)), digest);
	PGresult *result = doctor_ask(doctor, database, &sql_doctor_policy, (const char *const[]){ digest });
	if (!result)
		return;
	if (PQntuples(result) == 0) {
		doctor_find(doctor, DOCTOR_WARNING, "policy", "no policy is in force yet");
		doctor_mend(doctor, "systemctl start needtoknowd");
	} else if (strcmp(PQgetvalue(result, 0, 0), digest) == 0) {
		doctor_find(doctor, DOCTOR_OK, "policy", "SHA-256 %s is in force since %s, by %s", digest,
			PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2));
	} else {
		bool was = PQgetvalue(result, 0, 3)[0] == 't';
		doctor_find(doctor, DOCTOR_WRONG, "policy",
			"in force since %s, by %s, is another one, SHA-256 %s; %s has %s, which %s",
			PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 0), path, digest,
			was ? "was in force before" : "never was in force");
		doctor_mend(doctor,
			"needtoknow policy reload %s --approved-by NAME, or put back the file that is in force", path);
	}
	PQclear(result);
}

void doctor_ledger(struct doctor *doctor, struct doctor_database *database)
{
	examine_migrations(doctor, database);
	examine_ledger(doctor, database);
	examine_policy(doctor, database);
}
