#include "service/rulebook_internal.h"

#include "base/log.h"
#include "service/rules.h"
#include "service/service.h"
#include "sql.h"

#include <stdio.h>

#define LOST_INTERVAL INT64_C(10000000)

bool rulebook_is_known(const struct rulebook *rulebook)
{
	return rulebook->known == rulebook->heard;
}

void rulebook_lose(struct rulebook *rulebook, int number)
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

static void known_policies(void *context, const struct database_outcome *outcome)
{
	struct rulebook *rulebook = context;
	struct policy_error error;
	if (outcome->result != DATABASE_OK) {
		rulebook_give_up(rulebook, POLICY_ORDER_UNAVAILABLE,
			"our own database does not answer, so the policies in use are not known");
		return;
	}
	const PGresult *result = outcome->results[0];
	for (int row = 0; row < PQntuples(result); row++) {
		int number = (int)row_int(result, row, 0);
		rulebook->highest = number > rulebook->highest ? number : rulebook->highest;
		struct rules *known = rulebook_find(rulebook, number);
		if (known && row_bool(result, row, 3) && known != rulebook->in_force)
			rulebook_activated(rulebook, known, NULL);
		if (!known && rulebook_is_unfit(rulebook, number) && row_bool(result, row, 3))
			rulebook_lose(rulebook, number);
		if (known || rulebook_is_unfit(rulebook, number))
			continue;
		struct policy *policy =
			policy_parse(PQgetvalue(result, row, 2), (size_t)PQgetlength(result, row, 2), &error);
		if (policy) {
			rulebook_add_pending(rulebook, policy, number, row_bool(result, row, 3));
			continue;
		}
		rulebook_remember_unfit(rulebook, number);
		log_error("policy",
			"policy %d, kept from before, cannot be read by this version (%s): what was shared under it "
			"waits",
			number, error.message);
		if (row_bool(result, row, 3))
			rulebook_lose(rulebook, number);
	}
	/* Once a policy is in force, the file is read again when the operator says so, and only then. */
	if (rulebook->in_force || rulebook->lost)
		rulebook_take_next(rulebook);
	else
		rulebook_take_file(rulebook);
}

void rulebook_ask_known(struct rulebook *rulebook)
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
	rulebook_ask_known(rulebook);
}

void rulebook_outdated(struct rulebook *rulebook)
{
	rulebook->heard++;
	rulebook_look_again(rulebook);
}
