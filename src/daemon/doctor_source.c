#include "daemon/doctor_source.h"

#include "catalogue/ask.h"

#include <string.h>

#define REASON_MAX 1024
#define OWNER_MAX 512

static void mend(struct doctor *doctor, const struct doctor_database *database, const struct catalogue_problem *problem)
{
	char owner[OWNER_MAX];
	const char *policy = doctor_configuration(doctor)->policy;
	doctor_owner(database, "postgres", owner, sizeof owner);
	switch (problem->remedy) {
	case CATALOGUE_REMEDY_NAME:
		doctor_mend(doctor, "correct the name in %s, or the view; needtoknow policy check %s --database DSN",
			policy, policy);
		return;
	case CATALOGUE_REMEDY_QUEUE:
		doctor_mend(doctor, "psql '%s' -f FILE, with the change queue and its triggers as in %s", owner,
			"deploy/sql/reference.sql");
		return;
	case CATALOGUE_REMEDY_GRANT:
		doctor_mend(doctor, "needtoknow policy grants %s --role %s | psql '%s'", policy, database->role, owner);
		return;
	case CATALOGUE_REMEDY_REVOKE:
		doctor_mend(doctor,
			"psql '%s' -c 'REVOKE ALL ON %s FROM \"%s\", PUBLIC'; needtoknow policy grants %s --role %s | "
			"psql '%s'",
			owner, problem->relation ? problem->relation : "it", database->role, policy, database->role,
			owner);
		return;
	case CATALOGUE_REMEDY_ROLE:
		doctor_mend(doctor,
			"psql '%s' -f deploy/sql/roles.sql makes one; needtoknow policy grants %s --role ROLE | psql "
			"'%s'",
			owner, policy, owner);
		return;
	case CATALOGUE_REMEDY_INDEX:
		doctor_mend(doctor, "psql '%s' -c 'CREATE INDEX ON TABLE (KEY)', or have the view pass the key through",
			owner);
		return;
	case CATALOGUE_REMEDY_WAIT:
		doctor_mend(doctor, "psql '%s' -c 'SELECT 1'", owner);
		return;
	}
}

static void tell_lookups(
	struct doctor *doctor, const struct doctor_database *database, const struct catalogue *catalogue)
{
	const struct policy *policy = doctor_policy(doctor);
	for (size_t i = 0; i < policy_source_count(policy); i++) {
		const struct policy_source *source = policy_source_at(policy, i);
		const struct catalogue_plan *plan = catalogue_plan(catalogue, i);
		if (!plan || !plan->by_key)
			continue; /* a problem says so */
		doctor_find(doctor, DOCTOR_OK, database->about, "%s.%s is looked up by %s, cost %s", source->schema,
			source->view, source->key, plan->cost);
		doctor_detail(doctor, plan->text);
	}
}

/* Of the source whose lookup scans; its view's name begins the problem. */
static void show_plan(struct doctor *doctor, const struct catalogue *catalogue, const struct catalogue_problem *problem)
{
	const struct policy *policy = doctor_policy(doctor);
	for (size_t i = 0; i < policy_source_count(policy); i++) {
		char name[REASON_MAX];
		const struct policy_source *source = policy_source_at(policy, i);
		const struct catalogue_plan *plan = catalogue_plan(catalogue, i);
		int length = snprintf(name, sizeof name, "%s.%s: ", source->schema, source->view);
		if (plan && length > 0 && strncmp(problem->message, name, (size_t)length) == 0)
			doctor_detail(doctor, plan->text);
	}
}

void doctor_source(struct doctor *doctor, struct doctor_database *database)
{
	char reason[REASON_MAX];
	const struct configuration *configuration = doctor_configuration(doctor);
	if (!doctor_policy(doctor))
		return;
	struct catalogue *catalogue = catalogue_ask(
		database->conninfo, doctor_policy(doctor), configuration->strict_privileges, reason, sizeof reason);
	if (!catalogue) {
		doctor_find(doctor, DOCTOR_UNKNOWN, database->about, "%s", reason);
		return;
	}
	tell_lookups(doctor, database, catalogue);
	for (size_t i = 0; i < catalogue_problem_count(catalogue); i++) {
		const struct catalogue_problem *problem = catalogue_problem_at(catalogue, i);
		doctor_find(doctor, problem->severity == CATALOGUE_ERROR ? DOCTOR_WRONG : DOCTOR_WARNING,
			database->about, "%s", problem->message);
		mend(doctor, database, problem);
		if (problem->remedy == CATALOGUE_REMEDY_INDEX)
			show_plan(doctor, catalogue, problem);
	}
	if (catalogue_problem_count(catalogue) == 0)
		doctor_find(doctor, DOCTOR_OK, database->about,
			"the views fit the policy, and role %s reads its columns and nothing else", database->role);
	catalogue_free(catalogue);
}
