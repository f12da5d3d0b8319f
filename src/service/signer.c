#include "service/signer_internal.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "pure/checkpoint_rule.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/consistency_check.h"
#include "service/key_rotation.h"
#include "service/sweeper.h"
#include "sql.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL TIME_SECOND
#define FINISH_INTERVAL (TIME_SECOND / 20)
#define STATEMENT_TIMEOUT_MS 10000

#define WHAT_TO_DO                                                                                                     \
	"no checkpoint is signed. Bring the right database back; or, when the loss is accepted, tell the auditors "    \
	"and remove %s/checkpoint"

/* ---- why not ---- */

void signer_stop(struct signer *signer, const char *format, ...)
{
	char why[sizeof signer->why];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(why, sizeof why, format, arguments);
	va_end(arguments);
	if (strcmp(why, signer->why) != 0)
		log_error("signer", "%s", why);
	memcpy(signer->why, why, sizeof why);
	signer->counters.stopped = 1;
}

static void go_on(struct signer *signer)
{
	if (*signer->why)
		log_info("signer", "checkpoints are signed again");
	signer->why[0] = '\0';
	signer->counters.stopped = 0;
}

void signer_refused(struct signer *signer, const struct database_outcome *outcome)
{
	/* Of these classes are time-outs, shutdowns and what is short for a moment: tried again, and no reason to
	 * doubt. */
	static const char *const passing[] = { "40", "53", "55", "57" };
	signer_tree_forget(signer);
	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (!strncmp(outcome->sqlstate, passing[i], 2))
			return;
	if (outcome->result == DATABASE_FAILED)
		signer_stop(signer, "the database refused what a checkpoint needs: %s (SQLSTATE %s)", outcome->message,
			outcome->sqlstate);
}

/* ---- what was seen ---- */

static void keep_seen(struct signer *signer)
{
	char error[512];
	bool failed = seen_checkpoint_store(signer->seen, error, sizeof error) != 0;
	if (failed && !signer->disk_trouble)
		log_error("signer", "%s", error);
	signer->disk_trouble = failed;
}

static void learn(struct signer *signer, const char *note)
{
	enum note_result result = seen_checkpoint_learn(signer->seen, note, &signer->published);
	if (result != NOTE_OK && signer->complained_size != signer->published.size)
		log_warning("signer", "the last checkpoint in the database, of %" PRIu64 " entries: %s",
			signer->published.size, note_result_text(result));
	signer->complained_size = result == NOTE_OK ? 0 : signer->published.size;
}

void signer_say_other(struct signer *signer, const struct checkpoint *than)
{
	signer_stop(signer,
		"the ledger does not go on from the checkpoint of %" PRIu64
		" entries that was signed: its root there is another; " WHAT_TO_DO,
		than->size, signer->config->state_dir);
}

static void published_checked(void *context, enum consistency result)
{
	struct signer *signer = context;
	const struct checkpoint *seen = seen_checkpoint_last(signer->seen);
	signer->checking = false;
	signer->continues = result == CONSISTENCY_PROVED;
	if (result == CONSISTENCY_REFUTED && seen)
		signer_say_other(signer, seen);
}

/* Whatever another has published since: does it go on from what was seen? */
static void check_published(struct signer *signer, const struct checkpoint *seen)
{
	if (signer->checking)
		return;
	signer->checking = true;
	consistency_check(signer->service, seen, &signer->published, published_checked, signer);
}

static void say_older(struct signer *signer, const char *than, uint64_t size)
{
	signer_stop(signer,
		"the ledger has %" PRIu64 " entries, fewer than the checkpoint of %" PRIu64 " that was %s; " WHAT_TO_DO,
		signer->head.size, size, than, signer->config->state_dir);
}

/* Does the database go on from what was seen? True: as far as is known, yes. */
static bool goes_on(struct signer *signer)
{
	char error[600];
	/* Whoever accepts a loss removes the file. */
	if (*signer->why && seen_checkpoint_load(signer->seen, error, sizeof error) != 0) {
		signer_stop(signer, "%s; no checkpoint is signed", error);
		return false;
	}
	const struct checkpoint *seen = seen_checkpoint_last(signer->seen);
	const struct checkpoint *published = signer->published.size ? &signer->published : NULL;
	switch (checkpoint_rule(seen, published, signer->head.size)) {
	case CHECKPOINT_GOOD:
		signer->continues = true;
		return true;
	case CHECKPOINT_OLDER:
		say_older(signer, "seen", seen->size);
		break;
	case CHECKPOINT_AHEAD:
		say_older(signer, "published", published->size);
		break;
	case CHECKPOINT_FORK:
		signer_stop(signer,
			"the last checkpoint in the database has, at %" PRIu64 " entries, another root than the one "
			"that was seen; " WHAT_TO_DO,
			seen->size, signer->config->state_dir);
		break;
	case CHECKPOINT_ASK_TREE:
		if (signer->continues)
			return true;
		check_published(signer, seen);
		return false;
	case CHECKPOINT_ASK_ENTRIES:
		if (signer->elected)
			return true; /* its tree passes by there */
		signer_stop(signer,
			"the last checkpoint in the database, of %" PRIu64 " entries, is older than the one of %" PRIu64
			" that was seen; the worker that signs compares their entries",
			signer->published.size, seen->size);
		break;
	}
	signer->continues = false;
	return false;
}

/* ---- signing ---- */

static void publish_answered(void *context, const struct database_outcome *outcome)
{
	struct signer *signer = context;
	signer->state = SIGNER_IDLE;
	fault_point("signer.published");
	if (outcome->result != DATABASE_OK) {
		signer_refused(signer, outcome);
	} else if (PQntuples(outcome->results[outcome->count - 1]) != 1) {
		signer_tree_forget(signer); /* somebody else has published a larger one */
	} else {
		tile_writer_stored(signer->writer);
		signer->published = signer->signing;
		signer->counters.checkpoints++;
		signer->counters.size = signer->published.size;
		signer->counters.signed_at =
			(uint64_t)(row_time(outcome->results[outcome->count - 1], 0, 1) / TIME_SECOND);
		signer->counters.behind = signer->head.size - signer->published.size;
		learn(signer, signer->note);
		keep_seen(signer);
		go_on(signer);
	}
	mem_free(signer->note);
	signer->note = NULL;
}

/* The tiles and the checkpoint that needs them: one transaction. */
static void publish(struct signer *signer)
{
	uint8_t size[8];
	signer->signing = (struct checkpoint){ .size = signer->head.size };
	memcpy(signer->signing.origin, signer->config->signing_keys[0].public.name, sizeof signer->signing.origin);
	tile_writer_root(signer->writer, &signer->signing.root);
	signer->note =
		checkpoint_sign(&signer->signing, signer->config->signing_keys, signer->config->signing_key_count);
	assert(signer->note && strlen(signer->note) < CHECKPOINT_NOTE_MAX);
	pg_put_int8(size, (int64_t)signer->signing.size);
	signer->state = SIGNER_PUBLISHING;
	database_open(signer->database);
	tile_writer_send(signer->writer, signer->database);
	database_add(signer->database, &sql_checkpoint_publish,
		(struct parameter[]){ { size, sizeof size },
			{ signer->signing.root.bytes, sizeof signer->signing.root.bytes },
			{ signer->note, strlen(signer->note) } });
	fault_point("signer.signed");
	database_send(signer->database, publish_answered, signer);
}

void signer_reached_head(struct signer *signer)
{
	if (signer->head.size > signer->published.size)
		publish(signer);
	else
		go_on(signer);
}

/* ---- the news ---- */

static void keys_recorded(void *context, bool recorded)
{
	struct signer *signer = context;
	signer->recording = false;
	signer->recorded = recorded;
	if (recorded)
		loop_timer_set(&signer->timer, 0);
}

/* A key signs nothing that does not name it. */
static void record_keys(struct signer *signer)
{
	if (signer->recording || service_state(signer->service) != SERVICE_SERVING)
		return;
	signer->recording = true;
	key_rotation_record(signer->service, signer->verifier_keys, keys_recorded, signer);
}

static void consider(struct signer *signer, const char *note)
{
	if (!goes_on(signer))
		return;
	const struct checkpoint *seen = seen_checkpoint_last(signer->seen);
	if (note && (!seen || seen->size < signer->published.size))
		learn(signer, note);
	if (!signer->elected) {
		go_on(signer);
		return;
	}
	if (!signer->recorded)
		record_keys(signer);
	else if (loop_now(service_loop(signer->service)) < signer->retry_at)
		return;
	else
		signer_tree_follow(signer);
}

/* 0, or -1: that is no head. */
static int read_news(struct signer *signer, const PGresult *news)
{
	struct checkpoint *published = &signer->published;
	if (PQntuples(news) != 1 ||
		merkle_frontier_load(&signer->head, (uint64_t)row_int(news, 0, 0), PQgetvalue(news, 0, 1),
			(size_t)PQgetlength(news, 0, 1)) != 0)
		return -1;
	*published = (struct checkpoint){ .size = 0 };
	if (!row_is_null(news, 0, 2)) {
		published->size = (uint64_t)row_int(news, 0, 2);
		if (row_bytes(news, 0, 3, published->root.bytes, sizeof published->root.bytes) != 0)
			return -1;
		signer->counters.signed_at = (uint64_t)(row_time(news, 0, 5) / TIME_SECOND);
	}
	signer->counters.size = published->size;
	signer->counters.behind = signer->head.size > published->size ? signer->head.size - published->size : 0;
	return 0;
}

static void news_answered(void *context, const struct database_outcome *outcome)
{
	struct signer *signer = context;
	signer->state = SIGNER_IDLE;
	if (outcome->result != DATABASE_OK) {
		signer_refused(signer, outcome);
		return;
	}
	const PGresult *news = outcome->results[outcome->count - 1];
	if (!signer->elected && row_bool(outcome->results[0], 0, 0)) {
		signer->elected = true;
		signer->recorded = false;
		log_info("signer", "elected: this worker signs the ledger's checkpoints, as %s",
			signer->config->signing_keys[0].public.name);
		sweeper_wake(service_sweeper(signer->service));
	}
	if (read_news(signer, news) != 0)
		signer_stop(signer, "the ledger's head does not fit its size: nothing is signed");
	else
		consider(signer, row_is_null(news, 0, 4) ? NULL : PQgetvalue(news, 0, 4));
	if (signer->asked_fresh && !signer->fresh)
		signer->last_size = signer->head.size;
	signer->fresh = signer->asked_fresh;
	keep_seen(signer);
}

static void ask_news(struct signer *signer)
{
	signer->state = SIGNER_NEWS;
	signer->asked_fresh = signer->deadline != 0;
	database_open(signer->database);
	if (!signer->elected)
		database_add(signer->database, &sql_signer_elect, NULL);
	database_add(signer->database, &sql_signer_news, NULL);
	database_send(signer->database, news_answered, signer);
}

/* ---- when ---- */

/* What was committed when the end was asked for is signed, or cannot be. */
static bool is_finished(const struct signer *signer)
{
	if (!database_up(signer->database) || loop_now(service_loop(signer->service)) >= signer->deadline)
		return true;
	return signer->fresh && (*signer->why || signer->published.size >= signer->last_size);
}

static void finish(struct signer *signer)
{
	char error[512];
	void (*done)(void *context) = signer->done;
	if (seen_checkpoint_finish(signer->seen, error, sizeof error) != 0)
		log_error("signer", "%s", error);
	signer->done = NULL;
	if (done)
		done(signer->done_context);
}

static void ticked(void *context)
{
	struct signer *signer = context;
	loop_timer_set(&signer->timer, signer->deadline ? FINISH_INTERVAL : INTERVAL);
	signer->ticked_at = loop_now(service_loop(signer->service));
	if (signer->deadline && is_finished(signer))
		finish(signer);
	else if (signer->state == SIGNER_IDLE && database_up(signer->database))
		ask_news(signer);
}

static void up(void *context)
{
	struct signer *signer = context;
	loop_timer_set(&signer->timer, signer->ticked_at + INTERVAL - loop_now(service_loop(signer->service)));
}

static void down(void *context)
{
	struct signer *signer = context;
	signer->elected = false;
	signer->continues = false;
	signer_tree_forget(signer);
}

void signer_finish(struct signer *signer, uint32_t timeout_ms, void (*done)(void *context), void *context)
{
	signer->deadline = loop_now(service_loop(signer->service)) + (int64_t)timeout_ms * 1000;
	signer->done = done;
	signer->done_context = context;
	signer->fresh = signer->asked_fresh = false;
	loop_timer_set(&signer->timer, 0);
}

void signer_wake(struct signer *signer)
{
	if (!signer->recorded)
		loop_timer_set(&signer->timer, 0);
}

/* ---- what the outside sees ---- */

bool signer_elected(const struct signer *signer)
{
	return signer->elected;
}

const char *signer_why(const struct signer *signer)
{
	return signer->why;
}

const struct signer_counters *signer_counters(const struct signer *signer)
{
	return &signer->counters;
}

/* ---- birth and death ---- */

static int compare_texts(const void *left, const void *right)
{
	return strcmp(left, right);
}

/* In an order of their own, so that the configuration's says nothing. */
static void list_keys(struct signer *signer)
{
	const struct service_config *config = signer->config;
	char keys[NOTE_KEYS_MAX][NOTE_KEY_TEXT_MAX];
	size_t length = 0;
	for (size_t i = 0; i < config->signing_key_count; i++)
		note_verifier_text(&config->signing_keys[i].public, keys[i]);
	qsort(keys, config->signing_key_count, sizeof keys[0], compare_texts);
	for (size_t i = 0; i < config->signing_key_count; i++)
		length += (size_t)snprintf(signer->verifier_keys + length, sizeof signer->verifier_keys - length,
			"%s%s", i ? "\n" : "", keys[i]);
}

static void open_seen(struct signer *signer)
{
	const struct service_config *config = signer->config;
	struct note_verifier verifiers[NOTE_KEYS_MAX];
	char error[600];
	for (size_t i = 0; i < config->signing_key_count; i++)
		verifiers[i] = config->signing_keys[i].public;
	signer->seen = seen_checkpoint_new(config->state_dir, verifiers, config->signing_key_count);
	if (seen_checkpoint_load(signer->seen, error, sizeof error) != 0)
		signer_stop(signer, "%s; no checkpoint is signed", error);
}

struct signer *signer_new(struct service *service)
{
	struct signer *signer = mem_calloc(1, sizeof *signer);
	signer->service = service;
	signer->config = service_config(service);
	assert(signer->config->signing_key_count > 0 && signer->config->signing_key_count <= NOTE_KEYS_MAX);
	signer->ticked_at = INT64_MIN / 2;
	list_keys(signer);
	open_seen(signer);
	loop_timer_init(&signer->timer, service_loop(service), ticked, signer);
	signer->database = database_new(service_loop(service),
		&(struct database_config){ .name = "signer",
			.conninfo = signer->config->state_dsn,
			.statement_timeout_ms = STATEMENT_TIMEOUT_MS,
			.keyed_plans = true },
		&(struct database_handler){
			.on_up = up, .on_down = down, .context = signer, .on_trouble = service_trouble });
	return signer;
}

void signer_free(struct signer *signer)
{
	if (!signer)
		return;
	database_free(signer->database);
	loop_timer_release(&signer->timer);
	signer_tree_forget(signer);
	seen_checkpoint_free(signer->seen);
	mem_free(signer->note);
	mem_free(signer);
}
