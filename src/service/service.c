#include "service/service_internal.h"

#include "base/log.h"
#include "base/memory.h"
#include "pure/secret.h"
#include "service/batch.h"
#include "service/callers.h"
#include "service/company.h"
#include "service/corrector.h"
#include "service/eraser.h"
#include "service/erasure_list.h"
#include "service/ledger_room.h"
#include "service/pruner.h"
#include "service/queue.h"
#include "service/recipient_news.h"
#include "service/refusal.h"
#include "service/retention_sweeper.h"
#include "service/rulebook.h"
#include "service/signer.h"
#include "service/suppression.h"
#include "service/sweeper.h"
#include "service/tail.h"
#include "service/train.h"
#include "sql.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#define CHANNEL "needtoknow"
#define STATE_TIMEOUT_MS 5000
#define SILENCE_MS 10000 /* a server that hangs is given up for another */
#define AUDIT_TIMEOUT_MS 20000
#define FINISH_MS 2000
#define NEWS_INTERVAL INT64_C(20000)
#define CENSUS_INTERVAL INT64_C(5000000)

/* ---- who calls ---- */

void service_enter(struct service *service, const char *caller)
{
	service->calls++;
	callers_enter(service->callers, caller);
}

void service_leave(struct service *service, const char *caller)
{
	service->calls--;
	callers_leave(service->callers, caller);
}

/* ---- time ---- */

void service_learn_time(struct service *service, int64_t database_time)
{
	service->time_offset = database_time - loop_now(service->loop);
}

int64_t service_guess_time(const struct service *service)
{
	return loop_now(service->loop) + service->time_offset;
}

int64_t service_loop_time(const struct service *service, int64_t time)
{
	return time - service->time_offset;
}

/* ---- how it goes ---- */

static bool ready(const struct service *service)
{
	return service->have_secret && service->train && train_health(service->train) == TRAIN_RUNNING &&
		database_up(service->state) && rulebook_in_force(service->rulebook) &&
		erasure_list_open(service->erasure_list);
}

enum service_state service_state(const struct service *service)
{
	if (service->draining)
		return SERVICE_DRAINING;
	if (ready(service))
		return SERVICE_SERVING;
	return service->served ? SERVICE_NOT_SERVING : SERVICE_STARTING;
}

const char *service_why(const struct service *service)
{
	static const char *const why[] = {
		[TRAIN_DOWN] = "our own database cannot be reached",
		[TRAIN_FAILING] = "the ledger cannot be written",
		[TRAIN_UNKNOWN] = "a COMMIT was not answered for certain",
		[TRAIN_CLOCK] = "the database's clock stepped",
	};
	if (service->draining)
		return "it is being stopped";
	if (!database_up(service->state) || !service->have_secret || !service->train)
		return why[TRAIN_DOWN];
	if (train_health(service->train) != TRAIN_RUNNING)
		return why[train_health(service->train)];
	if (!erasure_list_open(service->erasure_list))
		return erasure_list_why(service->erasure_list);
	return rulebook_why(service->rulebook);
}

void service_on_state(struct service *service, void (*changed)(void *context), void *context)
{
	service->changed = changed;
	service->changed_context = context;
}

void service_watch(struct call *call)
{
	DL_APPEND(call->service->watching, call);
}

void service_unwatch(struct call *call)
{
	if (call->prev)
		DL_DELETE(call->service->watching, call);
	call->prev = call->next = NULL;
}

void service_changed(struct service *service)
{
	enum service_state state = service_state(service);
	struct call *call, *next;
	rulebook_open(service->rulebook);
	if (state == service->told)
		return;
	service->told = state;
	if (state == SERVICE_SERVING) {
		service->served = true;
		log_info("service", "serving");
		queue_poke_all(service->queues);
		sweeper_wake(service->sweeper);
		signer_wake(service->signer);
	} else {
		log_warning("service", "not serving: %s", service_why(service));
	}
	DL_FOREACH_SAFE (service->watching, call, next)
		call_run(call);
	tail_wake(service->tail);
	if (service->changed)
		service->changed(service->changed_context);
}

void service_trouble(void *context, const char *reason)
{
	(void)context;
	log_warning("database", "%s", reason);
}

void service_read_failed(struct service *service, int from, const struct database_outcome *outcome)
{
	int64_t now = loop_now(service->loop);
	if (now - service->complained_at < 1000000)
		return;
	service->complained_at = now;
	log_warning(from == READ_SOURCE ? "source" : "database", "a reading failed: %s (SQLSTATE %s)",
		*outcome->message ? outcome->message : "the connection is down", outcome->sqlstate);
}

/* ---- requests ---- */

static const struct method *find_method(const struct service *service, const char *path)
{
	struct method_entry *entry;
	HASH_FIND_STR(service->methods, path, entry);
	return entry ? entry->method : NULL;
}

static enum server_method_kind classify(void *context, const char *path)
{
	const struct method *method = find_method(context, path);
	return method ? method->kind : SERVER_METHOD_UNKNOWN;
}

static void refuse(struct server_stream *stream, enum grpc_code code, const char *reason, const char *message)
{
	server_stream_finish(stream, &(struct status){ .code = code, .reason = reason, .message = message });
}

/* Before the database was reached, and while it may not be the one that has all erasures. One that has just been lost
 * is told of by the call's own first reading, after what is wrong in the request itself. */
static bool nothing_is_served(const struct service *service, struct server_stream *stream)
{
	if (!service->have_secret) {
		refuse(stream, GRPC_UNAVAILABLE, "DATABASE_UNAVAILABLE",
			"the service has not reached its database yet; try again");
		return true;
	}
	if (erasure_list_lacking(service->erasure_list)) {
		refuse(stream, GRPC_UNAVAILABLE, "ERASURES_PENDING",
			"the database does not have all erasures: it may have been restored from a backup; nothing is "
			"served until they are done again");
		return true;
	}
	if (!erasure_list_open(service->erasure_list) && database_up(service->state)) {
		refuse(stream, GRPC_UNAVAILABLE, "DATABASE_UNAVAILABLE",
			"the database was reached again and has not said yet whether it has all erasures; try again");
		return true;
	}
	return false;
}

static void on_request(void *context, struct server_stream *stream, const struct server_request *request)
{
	struct service *service = context;
	const struct method *method = find_method(service, request->path);
	struct call *call = server_stream_user(stream);
	if (method->kind == SERVER_METHOD_BIDI && call) {
		/* A further message of a conversation: the step that waits takes it. */
		if (call_unpack(call, request->message, request->length) == STEP_NEXT)
			call_run(call);
		return;
	}
	if (method->role != ROLE_NONE && nothing_is_served(service, stream))
		return;
	if (admission_refuses(service, stream, method))
		return;
	call = call_new(service, method, stream);
	if (method->role != ROLE_NONE && call->role != method->role) {
		role_refused(call);
		return;
	}
	if (call_unpack(call, request->message, request->length) == STEP_DONE)
		call_abandon(call);
	else
		call_run(call);
}

static void on_half_close(void *context, struct server_stream *stream)
{
	struct call *call = server_stream_user(stream);
	(void)context;
	if (call) {
		call->half_closed = true;
		call_run(call);
	}
}

static void on_closed(void *context, struct server_stream *stream)
{
	struct call *call = server_stream_user(stream);
	(void)context;
	if (call)
		call_detach(call);
}

static void on_writable(void *context, struct server_stream *stream)
{
	struct call *call = server_stream_user(stream);
	(void)context;
	if (call && call->method->writable)
		call->method->writable(call);
}

/* ---- the databases ---- */

static void derive_secrets(struct service *service, const uint8_t *key)
{
	static const char *const uses[SECRETS] = { "disclosure id", "page token", "key table", "contact",
		"erasure list" };
	for (int use = 0; use < SECRETS; use++) {
		struct secret_field field = { uses[use], strlen(uses[use]) };
		secret_hmac(key, &field, 1, service->secrets[use]);
	}
}

static void start_train(struct service *service)
{
	struct train_config config = {
		.conninfo = service->settled.state_dsn,
		.max_calls = service->settled.limits.train_max_calls,
	};
	service->keys = key_table_new(service->secrets[SECRET_KEY_TABLE]);
	service->train = train_new(service, &config, service->keys);
}

static void secret_read(void *context, const struct database_outcome *outcome)
{
	struct service *service = context;
	uint8_t key[32];
	service->asking_secret = false;
	if (outcome->result != DATABASE_OK || PQntuples(outcome->results[0]) != 1 ||
		row_bytes(outcome->results[0], 0, 0, key, sizeof key)) {
		if (outcome->result == DATABASE_FAILED)
			log_error("database",
				"the schema cannot be read: %s (SQLSTATE %s); was `needtoknowd migrate` run?",
				outcome->message, outcome->sqlstate);
		return;
	}
	derive_secrets(service, key);
	mem_wipe(key, sizeof key);
	service->have_secret = true;
	start_train(service);
	erasure_list_reached(service->erasure_list);
	loop_timer_set(&service->census, 0);
	rulebook_open(service->rulebook);
	service_changed(service);
}

static void state_up(void *context)
{
	struct service *service = context;
	if (service->have_secret) {
		erasure_list_reached(service->erasure_list);
		rulebook_open(service->rulebook);
	} else if (!service->asking_secret) {
		service->asking_secret = true;
		database_open(service->state);
		database_add(service->state, &sql_secret_key, NULL);
		database_send(service->state, secret_read, service);
	}
	service_changed(service);
}

static void state_down(void *context)
{
	struct service *service = context;
	erasure_list_lost(service->erasure_list);
	service_changed(service);
}

static void greeted(void *context, const struct database_outcome *outcome)
{
	(void)context;
	(void)outcome; /* lost: the next connection greets again */
}

/* News of nothing: whoever was alone until now, and told nobody of its trains, learns that somebody listens. */
static void greet(struct service *service)
{
	char payload[40];
	int length = snprintf(payload, sizeof payload, "0 %s", service->name);
	database_open(service->listener);
	database_add(service->listener, &sql_train_notify, (struct parameter[]){ { payload, (size_t)length } });
	database_send(service->listener, greeted, service);
}

/* Others have committed, or the channel was deaf for a while. Under load they commit hundreds of times a second: once
 * in a while is enough. */
static void notified(void *context, const char *payload)
{
	struct service *service = context;
	/* Deaf for a while: who knows what was said. */
	struct train_news said = { .policy = true, .recipients = true, .lifted = true };
	if (payload && !train_news_read(payload, &said) && !strcmp(said.sender, service->name))
		return;
	/* Before what they committed is looked at. */
	if (service->train)
		train_disembark(service->train);
	if (!payload)
		greet(service);
	else if (service->train)
		train_notify(service->train, service->name);
	if (said.policy && service->train)
		rulebook_outdated(service->rulebook);
	if (said.recipients && service->have_secret)
		recipient_news_heard(service->recipient_news);
	if (said.lifted)
		queue_lift_holds(service->queues);
	if (!service->notified)
		loop_timer_set(&service->news, NEWS_INTERVAL);
	service->notified = true;
}

static void news(void *context)
{
	struct service *service = context;
	service->notified = false;
	queue_poke_all(service->queues);
	sweeper_news(service->sweeper);
	tail_grew(service->tail);
}

static void counted(void *context, const struct database_outcome *outcome)
{
	struct service *service = context;
	bool alone = service->settled.workers <= 1 && outcome->result == DATABASE_OK &&
		row_int(outcome->results[0], 0, 0) <= 1;
	train_notify(service->train, alone ? NULL : service->name);
}

/* Other workers, here or on other machines, are told of our trains; a worker that is alone tells nobody, since NOTIFY
 * is not free. Asked where we listen: who hears nothing from a server that hangs would not miss it. */
static void take_census(void *context)
{
	struct service *service = context;
	loop_timer_set(&service->census, CENSUS_INTERVAL);
	if (!service->train || !database_up(service->listener))
		return;
	database_open(service->listener);
	database_add(service->listener, &sql_listeners, NULL);
	database_send(service->listener, counted, service);
}

static int turn_end(void *context)
{
	struct service *service = context;
	int busy = service->train ? train_disembark_unhurried(service->train) : 0;
	busy |= queues_flush(service->queues);
	busy |= sweeper_flush(service->sweeper);
	busy |= batches_flush(service->batches);
	if (service->train && erasure_list_open(service->erasure_list))
		busy |= train_depart(service->train);
	return busy;
}

/* ---- birth and death ---- */

static void index_methods(struct service *service)
{
	for (const struct method *const *method = service->settled.methods; *method; method++) {
		struct method_entry *entry = mem_calloc(1, sizeof *entry);
		entry->method = *method;
		HASH_ADD_KEYPTR(hh, service->methods, (*method)->path, strlen((*method)->path), entry);
	}
}

static void connect_databases(struct service *service)
{
	const struct service_config *config = &service->settled;
	struct database_config state = { .name = "state",
		.conninfo = config->state_dsn,
		.statement_timeout_ms = STATE_TIMEOUT_MS,
		.answer_timeout_ms = SILENCE_MS,
		.keyed_plans = true };
	struct database_config listener = {
		.name = "listen", .conninfo = config->state_dsn, .answer_timeout_ms = SILENCE_MS, .listen = CHANNEL
	};
	struct database_handler handler = {
		.on_up = state_up, .on_down = state_down, .context = service, .on_trouble = service_trouble
	};
	service->state = database_new(service->loop, &state, &handler);
	state.name = "listing";
	service->listing =
		database_new(service->loop, &state, &(struct database_handler){ .on_trouble = service_trouble });
	service->audit = database_new(service->loop,
		&(struct database_config){ .name = "audit",
			.conninfo = config->audit_dsn ? config->audit_dsn : config->state_dsn,
			.statement_timeout_ms = AUDIT_TIMEOUT_MS,
			.keyed_plans = true },
		&(struct database_handler){ .on_trouble = service_trouble });
	service->listener = database_new(service->loop, &listener,
		&(struct database_handler){ .on_notify = notified, .context = service, .on_trouble = service_trouble });
}

static void name_worker(struct service *service)
{
	uint64_t number;
	if (RAND_bytes((unsigned char *)&number, sizeof number) != 1)
		abort();
	snprintf(service->name, sizeof service->name, "%016llx", (unsigned long long)number);
}

static void set_default(uint32_t *value, uint32_t otherwise)
{
	if (!*value)
		*value = otherwise;
}

struct service *service_new(struct loop *loop, const struct service_config *config)
{
	struct service *service = mem_calloc(1, sizeof *service);
	struct server_config server = {
		.trust_domain = config->trust_domain, .tls = config->tls, .limits = config->server_limits
	};
	struct server_handler handler = { classify, on_request, on_half_close, on_closed, on_writable, service };
	service->loop = loop;
	service->settled = *config;
	set_default(&service->settled.limits.train_max_calls, 512);
	set_default(&service->settled.limits.call_memory, 8 << 20);
	set_default(&service->settled.limits.source_timeout_ms, 2000);
	set_default(&service->settled.limits.max_calls, 20000);
	set_default(&service->settled.limits.max_wait_ms, 250);
	name_worker(service);
	index_methods(service);
	loop_timer_init(&service->news, loop, news, service);
	loop_timer_init(&service->census, loop, take_census, service);
	service->server = server_new(loop, &server, &handler);
	service->callers = callers_new();
	service->batches = batches_new(service);
	service->company = company_new(service, config->rights_dsn);
	service->queues = queues_new(service);
	service->sweeper = sweeper_new(service);
	service->recipient_news = recipient_news_new(service);
	service->tail = tail_new(service);
	service->pruner = pruner_new(service);
	service->suppression = suppression_new(service);
	service->eraser = eraser_new(service);
	service->retention_sweeper = retention_sweeper_new(service);
	service->erasure_list = erasure_list_new(service, config->reapplying);
	service->corrector = corrector_new(service);
	service->ledger_room = ledger_room_new(service);
	service->rulebook = rulebook_new(service, config->source_dsn, config->policy_file, config->strict_privileges);
	connect_databases(service);
	service->signer = signer_new(service);
	service->hook = (struct loop_hook){ .run = turn_end, .context = service };
	loop_hook_add(loop, LOOP_PHASE_SERVICE, &service->hook);
	return service;
}

void service_free(struct service *service)
{
	struct method_entry *entry, *next;
	if (!service)
		return;
	loop_hook_remove(service->loop, LOOP_PHASE_SERVICE, &service->hook);
	service->draining = true;
	service->changed = NULL;
	server_free(service->server);
	/* Each connection that ends has its calls end: what they call upon goes last. */
	train_close(service->train);
	loop_timer_release(&service->news);
	loop_timer_release(&service->census);
	database_free(service->listener);
	database_free(service->state);
	database_free(service->listing);
	database_free(service->audit);
	company_close(service->company);
	batches_close(service->batches);
	rulebook_free(service->rulebook);
	train_free(service->train);
	sweeper_free(service->sweeper);
	recipient_news_free(service->recipient_news);
	signer_free(service->signer);
	tail_free(service->tail);
	pruner_free(service->pruner);
	suppression_free(service->suppression);
	eraser_free(service->eraser);
	retention_sweeper_free(service->retention_sweeper);
	erasure_list_free(service->erasure_list);
	corrector_free(service->corrector);
	ledger_room_free(service->ledger_room);
	queues_free(service->queues);
	batches_free(service->batches);
	company_free(service->company);
	callers_free(service->callers);
	key_table_free(service->keys);
	HASH_ITER (hh, service->methods, entry, next) {
		HASH_DEL(service->methods, entry);
		mem_free(entry);
	}
	mem_wipe(service->secrets, sizeof service->secrets);
	mem_free(service);
}

int service_listen(struct service *service, int socket)
{
	return server_listen(service->server, socket);
}

/* Nobody is served any more: what was committed last is signed, too. */
static void server_drained(void *context)
{
	struct service *service = context;
	signer_finish(service->signer, FINISH_MS, service->drained, service->drained_context);
}

void service_drain(struct service *service, uint32_t timeout_ms, void (*done)(void *context), void *context)
{
	service->draining = true;
	service_changed(service);
	queues_drain(service->queues);
	service->drained = done;
	service->drained_context = context;
	server_drain(service->server, timeout_ms, server_drained, service);
}

void service_reload(struct service *service)
{
	rulebook_reload(service->rulebook);
}
