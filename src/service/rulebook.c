#include "service/rulebook_internal.h"

#include "base/log.h"
#include "base/memory.h"
#include "catalogue/catalogue.h"
#include "service/policy_activation.h"
#include "service/queue.h"
#include "service/rules.h"
#include "service/service.h"
#include "service/train.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#define RETRY_INTERVAL INT64_C(2000000)

/* Each view has a connection of its own: a slow or locked one delays nobody else's deliveries. */
struct view {
	char *name;
	struct database *database;
	UT_hash_handle hh;
};

/* A policy that cannot be used any more: for reading what was shared under it. */
struct archived {
	int number;
	struct policy *policy;
	struct archived *next;
};

const struct rules *rulebook_in_force(const struct rulebook *rulebook)
{
	return rulebook->in_force;
}

struct rules *rulebook_find(const struct rulebook *rulebook, int number)
{
	struct rules *rules;
	LL_SEARCH_SCALAR(rulebook->all, rules, number, number);
	return rules;
}

const struct rules *rulebook_number(const struct rulebook *rulebook, int number)
{
	const struct rules *rules = rulebook_find(rulebook, number);
	/* Until it is stored, its number may come to mean another worker's policy. */
	return rules && rules->stored ? rules : NULL;
}

const struct rules *rulebook_next(const struct rulebook *rulebook, const struct rules *after)
{
	return after ? after->next : rulebook->all;
}

const struct rule *rulebook_rule_now(struct rulebook *rulebook, int number, const char *service)
{
	struct rules *rules = rulebook_find(rulebook, number);
	const struct rule *rule = rules && rules->stored ? rules_find(rules, service) : NULL;
	return rule && rulebook->in_force
		? rules_narrow(rulebook, rules, rule, rulebook_find(rulebook, rulebook->in_force->number))
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

/* ---- taking into use ---- */

void rulebook_give_up(struct rulebook *rulebook, enum policy_order_result result, const char *why)
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
	rulebook_finish_order(rulebook, result, NULL, NULL, rulebook->why);
	rulebook_release_waiting(rulebook, false);
	service_changed(rulebook->service);
	if (!rulebook->in_force)
		loop_timer_set(&rulebook->retry, RETRY_INTERVAL);
	else if (!rulebook_is_known(rulebook))
		loop_timer_set(&rulebook->refresh, REFRESH_INTERVAL);
	if (rulebook->order_waits)
		rulebook_look_again(rulebook);
}

void rulebook_look_again(struct rulebook *rulebook)
{
	if (rulebook->opening || rulebook->activating)
		return;
	if (rulebook->order_waits) {
		rulebook->order_waits = false;
		rulebook->ordered = true;
		rulebook_reload(rulebook);
	} else if (!rulebook_is_known(rulebook)) {
		if (database_up(service_database_state(rulebook->service)))
			rulebook_ask_known(rulebook);
		else
			loop_timer_set(&rulebook->refresh, REFRESH_INTERVAL); /* until it is back */
	}
}

void rulebook_activate(struct rulebook *rulebook, struct rules *rules)
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
		rulebook_finish_order(rulebook, POLICY_ORDER_ACTIVATED, rules->policy, recorded, "");
	queue_lift_holds(service_queues(rulebook->service));
	service_changed(rulebook->service);
	rulebook_look_again(rulebook);
}

void rulebook_activation_failed(struct rulebook *rulebook, const struct rules *rules)
{
	rulebook->activating = false;
	/* Its number may be another worker's by now: it is numbered again when it is tried again. */
	if (!rules->stored) {
		LL_DELETE(rulebook->all, (struct rules *)rules);
		rules_free((struct rules *)rules);
	}
	rulebook_give_up(rulebook, POLICY_ORDER_UNAVAILABLE,
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

void rulebook_remember_unfit(struct rulebook *rulebook, int number)
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
			rulebook_give_up(rulebook, POLICY_ORDER_REFUSED,
				"the policy does not fit the company's database; needtoknowd check says where");
		else
			rulebook_give_up(rulebook, POLICY_ORDER_UNAVAILABLE,
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
			rulebook_activate(rulebook, rules);
	} else {
		/* What was shared under it waits: nothing is delivered by a rule that cannot be checked. */
		archive(rulebook, text->number, text->policy);
		rulebook_remember_unfit(rulebook, text->number);
		if (text->in_force)
			rulebook_lose(rulebook, text->number);
	}
	catalogue_free(catalogue);
	mem_free(text);
	rulebook_take_next(rulebook);
}

void rulebook_take_next(struct rulebook *rulebook)
{
	if (!rulebook->pending) {
		bool was_current = rulebook_is_known(rulebook);
		rulebook->opening = false;
		rulebook->known = rulebook->asked;
		service_changed(rulebook->service);
		if (rulebook_is_known(rulebook)) {
			rulebook_release_waiting(rulebook, true);
			if (!was_current)
				queue_lift_holds(service_queues(rulebook->service));
		}
		rulebook_look_again(rulebook);
		return;
	}
	rulebook->checking = true;
	catalogue_check(rulebook->catalogue, rulebook->pending->policy, rulebook->strict, checked, rulebook);
}

void rulebook_add_pending(struct rulebook *rulebook, struct policy *policy, int number, bool in_force)
{
	struct policy_text *text = mem_calloc(1, sizeof *text);
	text->policy = policy;
	text->number = number;
	text->in_force = in_force;
	LL_APPEND(rulebook->pending, text);
}

/* ---- its life ---- */

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
	rulebook_ask_known(rulebook);
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
