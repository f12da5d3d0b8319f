#include "service/rulebook.h"

#include "base/log.h"
#include "base/memory.h"
#include "catalogue/catalogue.h"
#include "pure/identity.h"
#include "pure/source_select.h"
#include "service/policy_activation.h"
#include "service/queue.h"
#include "service/rules.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#define POLICY_FILE_MAX ((size_t)1 << 20)
#define RETRY_INTERVAL INT64_C(2000000)
#define LOST_INTERVAL INT64_C(10000000)
#define UNFIT_MAX 64
#define REFRESH_INTERVAL INT64_C(1000000)
#define APPROVER_MAX 512

/* Each view has a connection of its own: a slow or locked one delays nobody else's deliveries. */
struct view {
	char *name;
	struct database *database;
	UT_hash_handle hh;
};

struct rulebook {
	struct service *service;
	const char *source_dsn;
	const char *policy_file;
	bool strict;
	struct database *catalogue; /* a connection for looking at the company's catalogue */
	struct view *views;
	struct rules *all; /* in use */
	const struct rules *in_force;
	char why[1024];
	struct loop_timer retry, refresh;
	int64_t refreshed_at;

	/* Others' activations that were heard of, and how many of them are known to be looked up. */
	uint64_t heard, asked, known;
	struct waiter *waiting; /* calls that must know */
	bool lost; /* the policy in force cannot be used here, and the file is not to replace it */

	/* A reload that somebody asked for. */
	bool ordered; /* it is under way */
	bool order_waits; /* for what is under way */
	struct policy_order order;
	uint8_t expected[32];
	char actor[IDENTITY_URI_MAX + 1], approved_by[APPROVER_MAX];

	/* What is being taken into use, one after the other. */
	bool opening, activating;
	bool checking; /* the first of the pending, against the company's database */
	struct policy_text {
		int number; /* 0: the file's, not yet known to the database */
		bool in_force;
		struct policy *policy;
		struct policy_text *next;
	} * pending;
	int highest;
	struct archived {
		int number;
		struct policy *policy;
		struct archived *next;
	} * archive; /* policies that cannot be used any more: for reading what was shared under them */
	int unfit[UNFIT_MAX]; /* policies kept from before that cannot be used; looked at again at the next start or
				 reload */
	size_t unfit_count;
};

static void take_next(struct rulebook *rulebook);
static void ask_known_policies(struct rulebook *rulebook);
static void look_again(struct rulebook *rulebook);

const struct rules *rulebook_in_force(const struct rulebook *rulebook)
{
	return rulebook->in_force;
}

static struct rules *find_rules(const struct rulebook *rulebook, int number)
{
	struct rules *rules;
	LL_SEARCH_SCALAR(rulebook->all, rules, number, number);
	return rules;
}

const struct rules *rulebook_number(const struct rulebook *rulebook, int number)
{
	const struct rules *rules = find_rules(rulebook, number);
	/* Until it is stored, its number may come to mean another worker's policy. */
	return rules && rules->stored ? rules : NULL;
}

const struct rules *rulebook_next(const struct rulebook *rulebook, const struct rules *after)
{
	return after ? after->next : rulebook->all;
}

const struct rule *rulebook_rule_now(struct rulebook *rulebook, int number, const char *service)
{
	struct rules *rules = find_rules(rulebook, number);
	const struct rule *rule = rules && rules->stored ? rules_find(rules, service) : NULL;
	return rule && rulebook->in_force
		? rules_narrow(rulebook, rules, rule, find_rules(rulebook, rulebook->in_force->number))
		: rule;
}

const struct policy *rulebook_policy(struct rulebook *rulebook, int number)
{
	const struct rules *rules = rulebook_number(rulebook, number);
	struct archived *archived;
	if (rules)
		return rules->policy;
	LL_SEARCH_SCALAR(rulebook->archive, archived, number, number);
	/* Another worker shared under a policy that it has just put in force. */
	if (!archived)
		rulebook_refresh(rulebook);
	return archived ? archived->policy : NULL;
}

const char *rulebook_why(const struct rulebook *rulebook)
{
	return rulebook->in_force ? "" : rulebook->why;
}

struct database *rulebook_view(struct rulebook *rulebook, const struct policy_source *source)
{
	char name[160];
	struct view *view;
	snprintf(name, sizeof name, "%s.%s", source->schema, source->view);
	HASH_FIND_STR(rulebook->views, name, view);
	if (!view) {
		struct database_config config = {
			.name = "source",
			.conninfo = rulebook->source_dsn,
			.statement_timeout_ms = service_config(rulebook->service)->limits.source_timeout_ms,
			.lock_timeout_ms = service_config(rulebook->service)->limits.source_timeout_ms,
			.answer_timeout_ms = 2 * service_config(rulebook->service)->limits.source_timeout_ms + 6000,
			.keyed_plans = true,
			.wipe = true,
		};
		view = mem_calloc(1, sizeof *view);
		view->name = mem_strdup(name);
		view->database = database_new(service_loop(rulebook->service), &config,
			&(struct database_handler){ .on_trouble = service_trouble });
		HASH_ADD_KEYPTR(hh, rulebook->views, view->name, strlen(view->name), view);
	}
	return view->database;
}

/* ---- who waits, and who asked ---- */

bool rulebook_is_known(const struct rulebook *rulebook)
{
	return rulebook->known == rulebook->heard;
}

/* A call that waits, in its memory. */
struct waiter {
	struct call *call;
	struct waiter *next, *prev;
};

static struct waiter *find_waiter(struct rulebook *rulebook, const struct call *call)
{
	struct waiter *waiter;
	DL_SEARCH_SCALAR(rulebook->waiting, waiter, call, call);
	return waiter;
}

bool rulebook_is_current(struct rulebook *rulebook, struct call *call)
{
	if (rulebook_is_known(rulebook))
		return true;
	if (find_waiter(rulebook, call))
		return false;
	struct waiter *waiter = call_alloc(call, sizeof *waiter);
	if (!waiter)
		return true; /* the call has failed */
	waiter->call = call;
	DL_APPEND(rulebook->waiting, waiter);
	return false;
}

void rulebook_leave(struct call *call)
{
	struct rulebook *rulebook = service_rulebook(call->service);
	struct waiter *waiter = find_waiter(rulebook, call);
	if (waiter)
		DL_DELETE(rulebook->waiting, waiter);
}

/* Runs all who wait now; those whom nobody can tell fail. */
static void release_waiting(struct rulebook *rulebook, bool told)
{
	struct waiter *waiter;
	int count;
	DL_COUNT(rulebook->waiting, waiter, count);
	for (; count > 0 && rulebook->waiting; count--) {
		waiter = rulebook->waiting;
		struct call *call = waiter->call;
		DL_DELETE(rulebook->waiting, waiter);
		if (!told)
			call_fail(call, GRPC_UNAVAILABLE, "POLICY_UNAVAILABLE",
				"another policy was put in force, and this worker does not have it yet; try again");
		call_run(call);
	}
}

static void finish_order(struct rulebook *rulebook, enum policy_order_result result, const struct policy *policy,
	const struct recorded *recorded, const char *why)
{
	if (!rulebook->ordered)
		return;
	rulebook->ordered = false;
	if (rulebook->order.done)
		rulebook->order.done(rulebook->order.context,
			&(struct policy_ordered){ .result = result,
				.digest = policy ? policy_digest(policy) : NULL,
				.recorded = recorded,
				.why = why });
}

void rulebook_order_forget(struct rulebook *rulebook, const void *context)
{
	if ((rulebook->ordered || rulebook->order_waits) && rulebook->order.context == context)
		rulebook->order.done = NULL;
}

/* ---- taking into use ---- */

static void give_up(struct rulebook *rulebook, enum policy_order_result result, const char *why)
{
	if (why != rulebook->why)
		snprintf(rulebook->why, sizeof rulebook->why, "%s", why);
	log_error("policy", "%s%s", rulebook->why, rulebook->in_force ? "; the policy in force stays" : "");
	/* What is being looked at now is not given up: the catalogue still works on it. */
	rulebook->opening = rulebook->checking;
	while (!rulebook->checking && rulebook->pending) {
		struct policy_text *text = rulebook->pending;
		LL_DELETE(rulebook->pending, text);
		policy_free(text->policy);
		mem_free(text);
	}
	rulebook->asked = rulebook->known;
	finish_order(rulebook, result, NULL, NULL, rulebook->why);
	release_waiting(rulebook, false);
	service_changed(rulebook->service);
	if (!rulebook->in_force)
		loop_timer_set(&rulebook->retry, RETRY_INTERVAL);
	else if (!rulebook_is_known(rulebook))
		loop_timer_set(&rulebook->refresh, REFRESH_INTERVAL);
	if (rulebook->order_waits)
		look_again(rulebook);
}

/* What was asked for, or put in force by others, meanwhile has its turn as soon as nothing else is under way. */
static void look_again(struct rulebook *rulebook)
{
	if (rulebook->opening || rulebook->activating)
		return;
	if (rulebook->order_waits) {
		rulebook->order_waits = false;
		rulebook->ordered = true;
		rulebook_reload(rulebook);
	} else if (!rulebook_is_known(rulebook)) {
		if (database_up(service_database_state(rulebook->service)))
			ask_known_policies(rulebook);
		else
			loop_timer_set(&rulebook->refresh, REFRESH_INTERVAL); /* until it is back */
	}
}

/* Another worker put a policy in force that this one cannot use: it must not go on with the one before. */
static void lose(struct rulebook *rulebook, int number)
{
	if (!rulebook->in_force)
		return; /* it starts: the file decides */
	rulebook->in_force = NULL;
	rulebook->lost = true;
	snprintf(rulebook->why, sizeof rulebook->why,
		"policy %d was put in force by another worker and cannot be used by this one", number);
	log_error("policy", "%s: nothing is shared here until it can", rulebook->why);
	loop_timer_set(&rulebook->retry, LOST_INTERVAL);
}

static void activate(struct rulebook *rulebook, struct rules *rules)
{
	rulebook->activating = true;
	policy_activate(rulebook->service, rules, rulebook->ordered ? rulebook->actor : "system",
		rulebook->ordered ? rulebook->approved_by : "system");
}

void rulebook_activated(struct rulebook *rulebook, struct rules *rules, const struct recorded *recorded)
{
	rulebook->activating = false;
	rulebook->lost = false;
	rules->stored = true;
	rulebook->in_force = rules;
	rulebook->why[0] = '\0';
	log_info("policy", "policy %d is in force, %zu services", rules->number, policy_service_count(rules->policy));
	if (recorded)
		finish_order(rulebook, POLICY_ORDER_ACTIVATED, rules->policy, recorded, "");
	queue_lift_holds(service_queues(rulebook->service));
	service_changed(rulebook->service);
	look_again(rulebook);
}

void rulebook_activation_failed(struct rulebook *rulebook, const struct rules *rules)
{
	rulebook->activating = false;
	/* Its number may be another worker's by now: it is numbered again when it is tried again. */
	if (!rules->stored) {
		LL_DELETE(rulebook->all, (struct rules *)rules);
		rules_free((struct rules *)rules);
	}
	give_up(rulebook, POLICY_ORDER_UNAVAILABLE,
		"the policy could not be activated in the ledger; another worker may have done it");
	rulebook_refresh(rulebook);
}

static void log_problems(const struct catalogue *catalogue, const char *which)
{
	for (size_t i = 0; i < catalogue_problem_count(catalogue); i++) {
		const struct catalogue_problem *problem = catalogue_problem_at(catalogue, i);
		if (problem->severity == CATALOGUE_ERROR)
			log_error("policy", "%s: %s", which, problem->message);
		else
			log_warning("policy", "%s: %s", which, problem->message);
	}
}

bool rulebook_is_unfit(const struct rulebook *rulebook, int number)
{
	for (size_t i = 0; i < rulebook->unfit_count; i++)
		if (rulebook->unfit[i] == number)
			return true;
	return false;
}

static void remember_unfit(struct rulebook *rulebook, int number)
{
	if (rulebook->unfit_count < UNFIT_MAX)
		rulebook->unfit[rulebook->unfit_count++] = number;
}

/* Takes the policy. */
static void archive(struct rulebook *rulebook, int number, struct policy *policy)
{
	struct archived *archived;
	LL_SEARCH_SCALAR(rulebook->archive, archived, number, number);
	if (archived) {
		policy_free(policy);
		return;
	}
	archived = mem_calloc(1, sizeof *archived);
	archived->number = number;
	archived->policy = policy;
	LL_PREPEND(rulebook->archive, archived);
}

static void checked(void *context, struct catalogue *catalogue)
{
	struct rulebook *rulebook = context;
	struct policy_text *text = rulebook->pending;
	rulebook->checking = false;
	LL_DELETE(rulebook->pending, text);
	bool is_file = text->number == 0;
	log_problems(catalogue, is_file ? rulebook->policy_file : "a policy under which something was shared");
	enum catalogue_result result = catalogue_result(catalogue);
	if (result == CATALOGUE_UNAVAILABLE || (result == CATALOGUE_UNFIT && is_file)) {
		policy_free(text->policy);
		mem_free(text);
		catalogue_free(catalogue);
		if (result == CATALOGUE_UNFIT)
			give_up(rulebook, POLICY_ORDER_REFUSED,
				"the policy does not fit the company's database; needtoknowd check says where");
		else
			give_up(rulebook, POLICY_ORDER_UNAVAILABLE,
				"the company's database does not answer, so the policy cannot be checked");
		return;
	}
	if (result == CATALOGUE_FIT) {
		struct rules *rules =
			rules_new(rulebook, text->policy, is_file ? ++rulebook->highest : text->number, catalogue);
		LL_PREPEND(rulebook->all, rules);
		rules->stored = !is_file;
		if (text->in_force)
			rulebook_activated(rulebook, rules, NULL);
		if (is_file)
			activate(rulebook, rules);
	} else {
		/* What was shared under it waits: nothing is delivered by a rule that cannot be checked. */
		archive(rulebook, text->number, text->policy);
		remember_unfit(rulebook, text->number);
		if (text->in_force)
			lose(rulebook, text->number);
	}
	catalogue_free(catalogue);
	mem_free(text);
	take_next(rulebook);
}

static void take_next(struct rulebook *rulebook)
{
	if (!rulebook->pending) {
		bool was_current = rulebook_is_known(rulebook);
		rulebook->opening = false;
		rulebook->known = rulebook->asked;
		service_changed(rulebook->service);
		if (rulebook_is_known(rulebook)) {
			release_waiting(rulebook, true);
			if (!was_current)
				queue_lift_holds(service_queues(rulebook->service));
		}
		look_again(rulebook);
		return;
	}
	rulebook->checking = true;
	catalogue_check(rulebook->catalogue, rulebook->pending->policy, rulebook->strict, checked, rulebook);
}

static void add_pending(struct rulebook *rulebook, struct policy *policy, int number, bool in_force)
{
	struct policy_text *text = mem_calloc(1, sizeof *text);
	text->policy = policy;
	text->number = number;
	text->in_force = in_force;
	LL_APPEND(rulebook->pending, text);
}

/* ---- the file ---- */

static char *read_file(const char *path, size_t *length, char *why, size_t why_size)
{
	FILE *file = fopen(path, "re");
	if (!file) {
		snprintf(why, why_size, "%s: %s", path, strerror(errno));
		return NULL;
	}
	char *text = mem_alloc(POLICY_FILE_MAX + 1);
	*length = fread(text, 1, POLICY_FILE_MAX + 1, file);
	bool bad = ferror(file) || *length > POLICY_FILE_MAX;
	fclose(file);
	if (!bad)
		return text;
	snprintf(why, why_size, "%s: cannot be read, or is larger than a mebibyte", path);
	mem_free(text);
	return NULL;
}

static struct policy *read_policy(struct rulebook *rulebook)
{
	size_t length;
	struct policy_error error;
	char *text = read_file(rulebook->policy_file, &length, rulebook->why, sizeof rulebook->why);
	if (!text)
		return NULL;
	struct policy *policy = policy_parse(text, length, &error);
	mem_free(text);
	if (!policy)
		snprintf(rulebook->why, sizeof rulebook->why, "%s:%d:%d: %s", rulebook->policy_file, error.line,
			error.column, error.message);
	return policy;
}

static struct rules *rules_of_digest(const struct rulebook *rulebook, const uint8_t *digest)
{
	struct rules *rules;
	LL_FOREACH (rulebook->all, rules)
		if (!memcmp(policy_digest(rules->policy), digest, 32))
			break;
	return rules;
}

/* The file's policy: in force already, known from before, or new. */
static void take_file(struct rulebook *rulebook)
{
	struct policy *policy = read_policy(rulebook);
	struct policy_text *text;
	if (!policy) {
		give_up(rulebook, POLICY_ORDER_REFUSED, rulebook->why);
		return;
	}
	if (rulebook->ordered && memcmp(policy_digest(policy), rulebook->expected, sizeof rulebook->expected)) {
		finish_order(rulebook, POLICY_ORDER_OTHER, policy, NULL, "");
		policy_free(policy);
		take_next(rulebook);
		return;
	}
	struct rules *known = rules_of_digest(rulebook, policy_digest(policy));
	if (known) {
		if (known != rulebook->in_force)
			activate(rulebook, known);
		else
			finish_order(rulebook, POLICY_ORDER_IN_FORCE, policy, NULL, "");
		policy_free(policy);
		take_next(rulebook);
		return;
	}
	LL_FOREACH (rulebook->pending, text) {
		if (memcmp(policy_digest(text->policy), policy_digest(policy), 32))
			continue;
		if (!text->in_force) {
			/* It was in force before another was: it is checked, then activated again. */
			policy_free(text->policy);
			LL_DELETE(rulebook->pending, text);
			mem_free(text);
			break;
		}
		policy_free(policy);
		take_next(rulebook);
		return;
	}
	add_pending(rulebook, policy, 0, false);
	take_next(rulebook);
}

void rulebook_reload(struct rulebook *rulebook)
{
	if (rulebook->opening || rulebook->activating)
		return;
	rulebook->opening = true;
	rulebook->unfit_count = 0;
	take_file(rulebook);
}

int rulebook_order(struct rulebook *rulebook, const struct policy_order *order)
{
	if (rulebook->ordered || rulebook->order_waits)
		return -1;
	rulebook->order = *order;
	rulebook->order_waits = true;
	memcpy(rulebook->expected, order->expected, sizeof rulebook->expected);
	snprintf(rulebook->actor, sizeof rulebook->actor, "%s", order->actor);
	snprintf(rulebook->approved_by, sizeof rulebook->approved_by, "%s", order->approved_by);
	look_again(rulebook);
	return 0;
}

/* ---- what the database knows ---- */

static void known_policies(void *context, const struct database_outcome *outcome)
{
	struct rulebook *rulebook = context;
	struct policy_error error;
	if (outcome->result != DATABASE_OK) {
		give_up(rulebook, POLICY_ORDER_UNAVAILABLE,
			"our own database does not answer, so the policies in use are not known");
		return;
	}
	const PGresult *result = outcome->results[0];
	for (int row = 0; row < PQntuples(result); row++) {
		int number = (int)row_int(result, row, 0);
		rulebook->highest = number > rulebook->highest ? number : rulebook->highest;
		struct rules *known = find_rules(rulebook, number);
		if (known && row_bool(result, row, 3) && known != rulebook->in_force)
			rulebook_activated(rulebook, known, NULL);
		if (!known && rulebook_is_unfit(rulebook, number) && row_bool(result, row, 3))
			lose(rulebook, number);
		if (known || rulebook_is_unfit(rulebook, number))
			continue;
		struct policy *policy =
			policy_parse(PQgetvalue(result, row, 2), (size_t)PQgetlength(result, row, 2), &error);
		if (policy) {
			add_pending(rulebook, policy, number, row_bool(result, row, 3));
			continue;
		}
		remember_unfit(rulebook, number);
		log_error("policy",
			"policy %d, kept from before, cannot be read by this version (%s): what was shared under it "
			"waits",
			number, error.message);
		if (row_bool(result, row, 3))
			lose(rulebook, number);
	}
	/* Once a policy is in force, the file is read again when the operator says so, and only then. */
	if (rulebook->in_force || rulebook->lost)
		take_next(rulebook);
	else
		take_file(rulebook);
}

static void ask_known_policies(struct rulebook *rulebook)
{
	struct database *state = service_database_state(rulebook->service);
	rulebook->opening = true;
	rulebook->asked = rulebook->heard;
	database_open(state);
	database_add(state, &sql_policies_all, NULL);
	database_send(state, known_policies, rulebook);
}

void rulebook_refresh(struct rulebook *rulebook)
{
	int64_t now = loop_now(service_loop(rulebook->service));
	if (rulebook->opening || rulebook->activating || !rulebook->in_force ||
		!database_up(service_database_state(rulebook->service)) ||
		now - rulebook->refreshed_at < REFRESH_INTERVAL) {
		loop_timer_set(&rulebook->refresh, REFRESH_INTERVAL);
		return;
	}
	rulebook->refreshed_at = now;
	ask_known_policies(rulebook);
}

void rulebook_outdated(struct rulebook *rulebook)
{
	rulebook->heard++;
	look_again(rulebook);
}

static void refresh_again(void *context)
{
	rulebook_refresh(context);
}

void rulebook_open(struct rulebook *rulebook)
{
	struct database *state = service_database_state(rulebook->service);
	const struct train *train = service_train(rulebook->service);
	if (rulebook->opening || rulebook->activating || rulebook->in_force || !train ||
		train_health(train) == TRAIN_DOWN || !database_up(state) || !database_up(rulebook->catalogue))
		return;
	if (rulebook->lost)
		rulebook->unfit_count = 0;
	ask_known_policies(rulebook);
}

static void retry(void *context)
{
	rulebook_open(context);
}

struct rulebook *rulebook_new(struct service *service, const char *source_dsn, const char *policy_file, bool strict)
{
	struct rulebook *rulebook = mem_calloc(1, sizeof *rulebook);
	struct database_config config = { .name = "catalogue", .conninfo = source_dsn, .statement_timeout_ms = 10000 };
	rulebook->service = service;
	rulebook->source_dsn = source_dsn;
	rulebook->policy_file = policy_file;
	rulebook->strict = strict;
	snprintf(rulebook->why, sizeof rulebook->why, "the policy is not loaded yet");
	loop_timer_init(&rulebook->refresh, service_loop(service), refresh_again, rulebook);
	loop_timer_init(&rulebook->retry, service_loop(service), retry, rulebook);
	rulebook->catalogue = database_new(service_loop(service), &config,
		&(struct database_handler){ .on_up = retry, .context = rulebook, .on_trouble = service_trouble });
	return rulebook;
}

void rulebook_free(struct rulebook *rulebook)
{
	struct view *view, *next_view;
	struct policy_text *text, *next_text;
	struct rules *rules, *next_rules;
	struct archived *archived, *next_archived;
	if (!rulebook)
		return;
	/* What is asked of it ends as lost, and sets the timers once more. */
	database_free(rulebook->catalogue);
	loop_timer_release(&rulebook->retry);
	loop_timer_release(&rulebook->refresh);
	HASH_ITER (hh, rulebook->views, view, next_view) {
		HASH_DEL(rulebook->views, view);
		database_free(view->database);
		mem_free(view->name);
		mem_free(view);
	}
	LL_FOREACH_SAFE (rulebook->pending, text, next_text) {
		policy_free(text->policy);
		mem_free(text);
	}
	LL_FOREACH_SAFE (rulebook->all, rules, next_rules)
		rules_free(rules);
	LL_FOREACH_SAFE (rulebook->archive, archived, next_archived) {
		policy_free(archived->policy);
		mem_free(archived);
	}
	mem_free(rulebook);
}
