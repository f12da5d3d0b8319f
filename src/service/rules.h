#ifndef NEEDTOKNOW_SERVICE_RULES_H
#define NEEDTOKNOW_SERVICE_RULES_H

#include "catalogue/catalogue.h"
#include "service/rulebook.h"

/* One policy in use, with the statements that read what its rules need. For the rulebook, which owns them. */
struct rules {
	int number;
	bool stored; /* in needtoknow.policy */
	struct policy *policy;
	const struct source_read *subject; /* is there such a row */
	struct rule *rules; /* one a service of the policy, in its order */
	struct owned_read *reads; /* every statement, once */
	struct source_types *types; /* one a source of the policy, in its order */
	struct narrowing *narrowings; /* what later policies leave of the rules, each made when it is first asked for */
	struct rules *next;
};

/* Takes the policy. The catalogue says of which type each source's key is. */
struct rules *rules_new(
	struct rulebook *rulebook, struct policy *policy, int number, const struct catalogue *catalogue);
void rules_free(struct rules *rules);

/* What holds of one of `shared`'s rules while `in_force` is: itself, unless that is narrower (policy_narrow.h). */
const struct rule *rules_narrow(
	struct rulebook *rulebook, struct rules *shared, const struct rule *rule, struct rules *in_force);

/* For rules_new(): the connection of a source's view; made when it is first asked for. */
struct database *rulebook_view(struct rulebook *rulebook, const struct policy_source *source);

/* What became of policy_activate(). */
void rulebook_activated(struct rulebook *rulebook, struct rules *rules, const struct recorded *recorded);
void rulebook_activation_failed(struct rulebook *rulebook, const struct rules *rules);

#endif
