/* Policies against a live database: what fits, what does not, and what the role may see too much of (P2). */
#include "catalogue/catalogue.h"
#include "database_scene.h"
#include "support/check.h"

#include <stdio.h>

static struct database_fixture fixture;

/* A company whose columns are of many types, and a role that may read what the policy below names. */
#define COMPANY                                                                                                        \
	"DROP SCHEMA IF EXISTS share, company CASCADE; CREATE SCHEMA company; CREATE SCHEMA share;"                    \
	"CREATE TABLE company.client (id int PRIMARY KEY, name text, code text, agreed boolean, padded char(9),"       \
	"  folded text COLLATE company_folded, phone text, big bigint UNIQUE);"                                        \
	"CREATE TABLE company.booking (id uuid PRIMARY KEY, client int NOT NULL, tasks text, since timestamptz);"      \
	"INSERT INTO company.client SELECT i, 'n', 'c', true, 'p', 'f', i::text, i FROM generate_series(1, 2000) i;"   \
	"INSERT INTO company.booking SELECT gen_random_uuid(), i, 't', now() FROM generate_series(1, 2000) i;"         \
	"ANALYZE company.client, company.booking;"                                                                     \
	"CREATE VIEW share.client AS SELECT * FROM company.client;"                                                    \
	"CREATE VIEW share.booking AS SELECT * FROM company.booking;"                                                  \
	"CREATE TABLE share.change_queue (change_id bigint, subject_id text, source text, key text, columns text[]);"  \
	"GRANT USAGE ON SCHEMA share TO source; GRANT SELECT, DELETE ON share.change_queue TO source;"                 \
	"GRANT SELECT (id, name, code, agreed) ON share.client TO source;"                                             \
	"GRANT SELECT (id, client, tasks) ON share.booking TO source;"

#define POLICY                                                                                                         \
	"version: 1\n"                                                                                                 \
	"controller: { name: M, data_protection_officer: d@m.example, security_measures: [TLS] }\n"                    \
	"subjects: client\n"                                                                                           \
	"sources:\n"                                                                                                   \
	"  client: { view: share.client, key: id }\n"                                                                  \
	"  booking: { view: share.booking, key: id, subject: client }\n"                                               \
	"services:\n"                                                                                                  \
	"  cleaning:\n"                                                                                                \
	"    purpose: dpv:ServiceProvision\n"                                                                          \
	"    legal_basis: contract\n"                                                                                  \
	"    requires: client.agreed\n"                                                                                \
	"    recipients: provider\n"                                                                                   \
	"    releases: [{ name: all, at: booked, fields: [client.name, client.code, booking.tasks] }]\n"               \
	"    expires: end\n"                                                                                           \
	"    delete_within: 1h\n"                                                                                      \
	"retention:\n"                                                                                                 \
	"  disclosures: 1y\n"                                                                                          \
	"  ledger_bodies: { keep: 1y }\n"                                                                              \
	"  subject_key_after_erasure: { keep: 0d }\n"                                                                  \
	"  backups: 35d\n"                                                                                             \
	"  columns: [{ fields: [client.phone], keep: contract-end }]\n"                                                \
	"limits: { acknowledge_within: 30s }\n"

static int start(void **state)
{
	(void)state;
	database_fixture_start(&fixture);
	database_fixture_query(&fixture,
		"CREATE ROLE source LOGIN; "
		"CREATE COLLATION company_folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	database_fixture_stop(&fixture);
	return 0;
}

struct answered {
	struct loop *loop; /* stopped by the answer */
	struct catalogue *catalogue;
	int count;
};

static void keep(void *context, struct catalogue *catalogue)
{
	struct answered *answered = context;
	answered->catalogue = catalogue;
	answered->count++;
	loop_stop(answered->loop);
}

/* POLICY with the first `old` replaced. */
static struct policy *make_policy(const char *old, const char *new)
{
	char text[3000];
	const char *at = old != NULL ? strstr(POLICY, old) : POLICY;
	assert_non_null(at);
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - POLICY), POLICY, new != NULL ? new : "",
		at + (old != NULL ? strlen(old) : 0));
	struct policy_error error;
	struct policy *policy = policy_parse(text, strlen(text), &error);
	if (policy == NULL)
		fail_msg("%d:%d: %s", error.line, error.column, error.message);
	return policy;
}

static struct catalogue *check_as(const char *role, const struct policy *policy, bool strict)
{
	char more[64];
	snprintf(more, sizeof more, "user=%s", role);
	struct scene scene;
	struct database_config config = scene_config(database_fixture_conninfo(&fixture, more));
	config.keyed_plans = true;
	config.wipe = true;
	scene_open_up(&scene, &config);
	struct answered answered = { .loop = scene.loop };
	catalogue_check(scene.database, policy, strict, keep, &answered);
	scene_await(&scene, &answered.count, 1);
	scene_close(&scene);
	assert_int_equal(answered.count, 1);
	return answered.catalogue;
}

static const struct company_case {
	const char *name;
	const char *sql; /* after COMPANY */
	const char *old, *new; /* in POLICY */
	enum catalogue_result result;
	const char *problems[3]; /* each once, in this order, and no other */
} cases[] = {
	{ "as it must be", "", NULL, NULL, CATALOGUE_FIT, { NULL } },
	{ "no change queue", "DROP TABLE share.change_queue", NULL, NULL, CATALOGUE_FIT,
		{ "there is no table share.change_queue: what changes after it was sent is not corrected" } },
	{ "a change queue that is another", "ALTER TABLE share.change_queue DROP key, DROP source", NULL, NULL,
		CATALOGUE_FIT, { "share.change_queue lacks source, key: what changes" } },
	{ "a change queue that may not be removed from", "REVOKE DELETE ON share.change_queue FROM source", NULL, NULL,
		CATALOGUE_FIT, { "share.change_queue: the role may not read it and remove from it" } },
	{ "a view that is not there", "", "view: share.client", "view: share.clients", CATALOGUE_UNFIT,
		{ "there is no view share.clients, which source `client` names",
			"may read what the policy does not name: share.client (id, name, code, agreed); needed: REVOKE "
			"SELECT" } },
	{ "a schema that is not there", "", "view: share.booking", "view: shares.booking", CATALOGUE_UNFIT,
		{ "there is no view shares.booking", "share.booking (id, client, tasks)" } },
	{ "a schema that may not be looked into", "REVOKE USAGE ON SCHEMA share FROM source", NULL, NULL,
		CATALOGUE_UNFIT, { "the role may not look into schema share; needed: GRANT USAGE" } },
	{ "a column that is not there", "", "client.code", "client.cod", CATALOGUE_UNFIT,
		{ "share.client has no column `cod`, which source `client` names (did you mean `code`?)",
			"share.client (code)" } },
	{ "a column that nothing is near to", "", "client.code", "client.elevation", CATALOGUE_UNFIT,
		{ "share.client has no column `elevation`, which source `client` names", "share.client (code)" } },
	{ "a column of the retention that is not there", "", "client.phone", "client.fone", CATALOGUE_UNFIT,
		{ "share.client has no column `fone`, which source `client` names (did you mean `phone`?)" } },
	{ "a column that may not be read", "REVOKE SELECT (tasks) ON share.booking FROM source", NULL, NULL,
		CATALOGUE_UNFIT, { "share.booking: the role may not read column `tasks`; needed: GRANT SELECT" } },
	{ "a key that may not be read", "REVOKE SELECT (id) ON share.client FROM source", NULL, NULL, CATALOGUE_UNFIT,
		{ "share.client: the role may not read column `id`" } },
	{ "a key that is not there", "", "share.client, key: id", "share.client, key: idd", CATALOGUE_UNFIT,
		{ "share.client has no column `idd`", "share.client (id)" } },
	{ "a subject that is not there", "", "subject: client", "subject: klient", CATALOGUE_UNFIT,
		{ "share.booking has no column `klient`, which source `booking` names (did you mean `client`?)",
			"share.booking (client)" } },
	{ "a key that is padded", "GRANT SELECT (padded) ON share.client TO source", "share.client, key: id",
		"share.client, key: padded", CATALOGUE_UNFIT,
		{ "share.client: column `padded` is of type character(9); needed for a key: text, varchar, smallint, "
		  "integer, bigint or uuid",
			"share.client (id)" } },
	{ "a key that takes two texts for one", "GRANT SELECT (folded) ON share.client TO source",
		"share.client, key: id", "share.client, key: folded", CATALOGUE_UNFIT,
		{ "share.client: column `folded` has a non-deterministic collation", "share.client (id)" } },
	{ "a requirement that is not true or false", "", "client.agreed", "client.code", CATALOGUE_UNFIT,
		{ "share.client: column `code`, which service `cleaning` requires, is of type text; needed: boolean",
			"share.client (agreed)" } },
	{ "a key that is not indexed", "GRANT SELECT (phone) ON share.client TO source", "share.client, key: id",
		"share.client, key: phone", CATALOGUE_UNFIT,
		{ "share.booking: column `client` is read as int4, but the subjects' key `phone` of share.client as "
		  "text; needed: the same type",
			"share.client (id)",
			"share.client: a lookup by `phone` reads more than its row (Seq Scan on client); needed: an "
			"index" } },
	{ "a view that cannot be entered by its key",
		"CREATE OR REPLACE VIEW share.booking AS SELECT * FROM company.booking ORDER BY since LIMIT 1000000",
		NULL, NULL, CATALOGUE_UNFIT,
		{ "share.booking: a lookup by `id` reads more than its row (Seq Scan on booking)" } },
	{ "a view that cannot be read at all",
		"ALTER VIEW share.booking OWNER TO source; GRANT ALL ON SCHEMA share TO source; "
		"REVOKE ALL ON share.booking FROM source; GRANT SELECT (id, client, tasks) ON share.booking TO source",
		NULL, NULL, CATALOGUE_UNFIT,
		{ "share.booking: a lookup by `id` cannot be planned: permission denied for table booking" } },
	{ "a column too many", "GRANT SELECT (phone) ON share.client TO source", NULL, NULL, CATALOGUE_FIT,
		{ "role source may read what the policy does not name: share.client (phone)" } },
	{ "a whole view", "GRANT SELECT ON share.client TO source", NULL, NULL, CATALOGUE_FIT,
		{ "share.client (padded, folded, phone, big); needed: REVOKE SELECT" } },
	{ "a table of the company",
		"GRANT USAGE ON SCHEMA company TO source; GRANT SELECT ON company.booking TO PUBLIC", NULL, NULL,
		CATALOGUE_FIT, { "company.booking (id, client, tasks, since)" } },
	{ "a table of the company behind a closed door", "GRANT SELECT ON company.booking TO PUBLIC", NULL, NULL,
		CATALOGUE_FIT, { NULL } },
	{ "a varchar",
		"DROP VIEW share.booking; ALTER TABLE company.booking ALTER id TYPE varchar(40); "
		"CREATE VIEW share.booking AS SELECT * FROM company.booking; GRANT SELECT (id, client, tasks) ON "
		"share.booking TO source",
		NULL, NULL, CATALOGUE_FIT, { NULL } },
};

/* Without one the policy may take effect all the same. */
static bool about_queue(const char *message)
{
	return strstr(message, ".change_queue") != NULL;
}

static bool problems_are(
	const struct catalogue *catalogue, const struct company_case *expected, enum catalogue_severity rights)
{
	size_t count = 0;
	while (count < 3 && expected->problems[count] != NULL)
		count++;
	bool same = catalogue_problem_count(catalogue) == count;
	for (size_t i = 0; i < count && same; i++) {
		const struct catalogue_problem *problem = catalogue_problem_at(catalogue, i);
		bool is_right = strstr(problem->message, "the policy does not name") != NULL;
		enum catalogue_severity severity = about_queue(problem->message) ? CATALOGUE_WARNING
			: is_right                                               ? rights
										 : CATALOGUE_ERROR;
		same = strstr(problem->message, expected->problems[i]) != NULL && problem->severity == severity;
	}
	return same;
}

static void test_companies(void **state)
{
	(void)state;
	unsigned failures = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		database_fixture_query(&fixture, COMPANY);
		if (*cases[i].sql != '\0')
			database_fixture_query(&fixture, cases[i].sql);
		struct policy *policy = make_policy(cases[i].old, cases[i].new);
		for (int strict = 0; strict < 2; strict++) {
			struct catalogue *catalogue = check_as("source", policy, strict);
			/* Strict, a right too many is an error like any other. */
			const char *first = cases[i].problems[0];
			bool fit = cases[i].result == CATALOGUE_FIT && (!strict || first == NULL || about_queue(first));
			enum catalogue_severity rights = strict ? CATALOGUE_ERROR : CATALOGUE_WARNING;
			if (catalogue_result(catalogue) != (fit ? CATALOGUE_FIT : CATALOGUE_UNFIT) ||
				!problems_are(catalogue, &cases[i], rights)) {
				print_error("%s%s: result %d\n", cases[i].name, strict ? ", strict" : "",
					catalogue_result(catalogue));
				for (size_t j = 0; j < catalogue_problem_count(catalogue); j++)
					print_error("  %s\n", catalogue_problem_at(catalogue, j)->message);
				failures++;
			}
			catalogue_free(catalogue);
		}
		policy_free(policy);
	}
	assert_int_equal(failures, 0);
}

static void test_types_of_keys_are_told(void **state)
{
	(void)state;
	database_fixture_query(&fixture, COMPANY);
	struct policy *policy = make_policy(NULL, NULL);
	struct catalogue *catalogue = check_as("source", policy, true);
	assert_int_equal(catalogue_result(catalogue), CATALOGUE_FIT);
	assert_int_equal(catalogue_key_type(catalogue, policy_subjects(policy)), KEY_TYPE_INT4);
	assert_int_equal(catalogue_subject_type(catalogue, policy_subjects(policy)), KEY_TYPE_INT4);
	assert_int_equal(catalogue_key_type(catalogue, policy_bookings(policy)), KEY_TYPE_UUID);
	assert_int_equal(catalogue_subject_type(catalogue, policy_bookings(policy)), KEY_TYPE_INT4);
	catalogue_free(catalogue);
	policy_free(policy);
}

static void test_a_superuser_is_told_once(void **state)
{
	(void)state;
	database_fixture_query(&fixture, COMPANY "CREATE ROLE all_seeing LOGIN IN ROLE pg_read_all_data");
	static const char *const roles[] = { "postgres", "all_seeing" };
	struct policy *policy = make_policy(NULL, NULL);
	for (size_t i = 0; i < 2; i++) {
		struct catalogue *catalogue = check_as(roles[i], policy, true);
		assert_int_equal(catalogue_result(catalogue), CATALOGUE_UNFIT);
		size_t count = catalogue_problem_count(catalogue);
		/* What pg_read_all_data does not give: to remove from the change queue. */
		assert_int_equal(count, i == 0 ? 1 : 2);
		assert_non_null(strstr(catalogue_problem_at(catalogue, count - 1)->message, "may read every table"));
		catalogue_free(catalogue);
	}
	policy_free(policy);
}

static void test_many_rights_are_counted(void **state)
{
	(void)state;
	database_fixture_query(&fixture,
		COMPANY "DO $$ BEGIN FOR i IN 1..150 LOOP EXECUTE format('CREATE TABLE share.t%s (a int); GRANT SELECT "
			"ON share.t%s TO source', i, i);"
			" END LOOP; END $$");
	struct policy *policy = make_policy(NULL, NULL);
	struct catalogue *catalogue = check_as("source", policy, false);
	assert_int_equal(catalogue_result(catalogue), CATALOGUE_FIT);
	assert_int_equal(catalogue_problem_count(catalogue), 21);
	assert_non_null(strstr(catalogue_problem_at(catalogue, 20)->message, "at least 80 more relations"));
	catalogue_free(catalogue);
	policy_free(policy);
}

static void expect_unavailable(const struct answered *answered)
{
	assert_int_equal(answered->count, 1);
	assert_int_equal(catalogue_result(answered->catalogue), CATALOGUE_UNAVAILABLE);
	assert_int_equal(catalogue_problem_count(answered->catalogue), 1);
	assert_non_null(
		strstr(catalogue_problem_at(answered->catalogue, 0)->message, "the sources' database did not answer"));
	catalogue_free(answered->catalogue);
}

static void test_lookups_are_told_with_plan_and_cost(void **state)
{
	(void)state;
	struct policy *policy = make_policy(NULL, NULL), *misspelt = make_policy("client.code", "client.cod");
	database_fixture_query(&fixture, COMPANY);
	struct catalogue *catalogue = check_as("source", policy, false);
	for (size_t i = 0; i < policy_source_count(policy); i++) {
		const struct catalogue_plan *plan = catalogue_plan(catalogue, i);
		assert_non_null(plan);
		assert_true(plan->by_key);
		assert_non_null(strstr(plan->text, "Index Cond: "));
		assert_non_null(strstr(plan->cost, ".."));
		assert_non_null(strstr(plan->text, plan->cost));
	}
	catalogue_free(catalogue);

	catalogue = check_as("source", misspelt, false);
	assert_null(catalogue_plan(catalogue, 0));
	assert_non_null(catalogue_plan(catalogue, 1));
	assert_int_equal(catalogue_problem_at(catalogue, 0)->remedy, CATALOGUE_REMEDY_NAME);
	const struct catalogue_problem *beyond =
		catalogue_problem_at(catalogue, catalogue_problem_count(catalogue) - 1);
	assert_int_equal(beyond->remedy, CATALOGUE_REMEDY_REVOKE);
	assert_string_equal(beyond->relation, "\"share\".\"client\"");
	catalogue_free(catalogue);
	policy_free(misspelt);
	policy_free(policy);
}

/* Neither fit nor unfit: asked again later. */
static void test_a_database_that_is_away_says_nothing(void **state)
{
	(void)state;
	struct policy *policy = make_policy(NULL, NULL);
	struct scene scene;
	struct database_config config = scene_config(database_fixture_conninfo(&fixture, "user=source"));
	scene_open(&scene, &config);
	struct answered at_once = { .loop = scene.loop };
	catalogue_check(scene.database, policy, false, keep, &at_once); /* before it is connected */
	expect_unavailable(&at_once);
	scene_close(&scene);

	config = scene_config(database_fixture_conninfo(&fixture, "user=source"));
	scene_open_up(&scene, &config);
	struct answered lost = { .loop = scene.loop };
	catalogue_check(scene.database, policy, false, keep, &lost);
	database_reset(scene.database);
	scene_await(&scene, &lost.count, 1);
	expect_unavailable(&lost);
	scene_close(&scene);
	catalogue_free(NULL);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_companies),
		cmocka_unit_test(test_types_of_keys_are_told),
		cmocka_unit_test(test_a_superuser_is_told_once),
		cmocka_unit_test(test_many_rights_are_counted),
		cmocka_unit_test(test_lookups_are_told_with_plan_and_cost),
		cmocka_unit_test(test_a_database_that_is_away_says_nothing),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
