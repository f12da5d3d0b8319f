#include "pure/plan_scan.h"
#include "support/check.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* EXPLAIN's lines, as PostgreSQL 15 wrote them with enable_seqscan off. */
static const struct {
	const char *name, *plan;
	const char *scan; /* NULL: by key */
} cases[] = {
	{ "by the primary key",
		"Nested Loop  (cost=0.28..83.24 rows=10 width=72)\n"
		"  ->  Function Scan on u  (cost=0.01..0.11 rows=10 width=40)\n"
		"  ->  Index Scan using client_pkey on client  (cost=0.28..8.30 rows=1 width=40)\n"
		"        Index Cond: (subject_id = u.key)\n",
		NULL },
	{ "by a number, remembered",
		"Nested Loop  (cost=0.29..83.24 rows=10 width=72)\n"
		"  ->  Function Scan on u  (cost=0.01..0.11 rows=10 width=40)\n"
		"  ->  Memoize  (cost=0.29..8.31 rows=1 width=12)\n"
		"        Cache Key: (u.key)::integer\n"
		"        Cache Mode: logical\n"
		"        ->  Index Only Scan using t_id on t  (cost=0.28..8.30 rows=1 width=12)\n"
		"              Index Cond: (id = (u.key)::integer)\n",
		NULL },
	{ "by a subject's bookings",
		"Nested Loop  (cost=0.28..55.16 rows=1 width=70)\n"
		"  ->  Function Scan on u  (cost=0.01..0.11 rows=10 width=72)\n"
		"  ->  Index Scan using booking_subject on booking  (cost=0.28..5.50 rows=1 width=78)\n"
		"        Index Cond: (subject_id = u.subject)\n"
		"        Filter: (u.key = booking_id)\n",
		NULL },
	{ "by a bitmap",
		"Nested Loop  (cost=4.31..83.24 rows=10 width=72)\n"
		"  ->  Function Scan on u  (cost=0.01..0.11 rows=10 width=40)\n"
		"  ->  Bitmap Heap Scan on client  (cost=4.31..8.30 rows=1 width=40)\n"
		"        Recheck Cond: (subject_id = u.key)\n"
		"        ->  Bitmap Index Scan on client_subject  (cost=0.00..4.31 rows=1 width=0)\n"
		"              Index Cond: (subject_id = u.key)\n",
		NULL },
	{ "no index",
		"Nested Loop  (cost=10000000000.01..10000000150.00 rows=10 width=72)\n"
		"  Join Filter: (client.phone = u.key)\n"
		"  ->  Seq Scan on client  (cost=10000000000.00..10000000030.00 rows=1000 width=40)\n"
		"  ->  Function Scan on u  (cost=0.01..0.11 rows=10 width=40)\n",
		"Seq Scan on client" },
	{ "several processes",
		"Gather  (cost=1000.00..2000.00 rows=10 width=72)\n"
		"  ->  Parallel Seq Scan on client c  (cost=0.00..1.00 rows=1 width=1)\n",
		"Parallel Seq Scan on client c" },
	{ "the first node", "Seq Scan on client  (cost=0.00..1.00 rows=1 width=1)\n", "Seq Scan on client" },
	{ "a walk over a whole index",
		"Nested Loop  (cost=0.28..150.00 rows=10 width=72)\n"
		"  Join Filter: (client.phone = u.key)\n"
		"  ->  Index Scan using client_pkey on client  (cost=0.28..100.00 rows=1000 width=40)\n"
		"  ->  Function Scan on u  (cost=0.01..0.11 rows=10 width=40)\n",
		"Index Scan using client_pkey on client" },
	{ "a walk over a whole index, last",
		"Nested Loop  (cost=0.28..150.00 rows=10 width=72)\n"
		"  ->  Function Scan on u  (cost=0.01..0.11 rows=10 width=40)\n"
		"  ->  Index Only Scan Backward using t_pkey on t  (cost=0.28..100.00 rows=1000 width=40)\n"
		"        Filter: (u.key = name)\n",
		"Index Only Scan Backward using t_pkey on t" },
	{ "a second table without an index",
		"Nested Loop  (cost=0.28..150.00 rows=10 width=72)\n"
		"  ->  Nested Loop  (cost=0.28..83.24 rows=10 width=72)\n"
		"        ->  Function Scan on u  (cost=0.01..0.11 rows=10 width=40)\n"
		"        ->  Index Scan using client_pkey on client  (cost=0.28..8.30 rows=1 width=40)\n"
		"              Index Cond: (subject_id = u.key)\n"
		"  ->  Seq Scan on address  (cost=10000000000.00..10000000030.00 rows=1000 width=40)\n",
		"Seq Scan on address" },
	{ "entered by something else than the key",
		"Nested Loop  (cost=0.28..150.00 rows=10 width=72)\n"
		"  Join Filter: (client.subject_id = u.key)\n"
		"  ->  Index Scan using client_tenant on client  (cost=0.28..100.00 rows=1000 width=40)\n"
		"        Index Cond: (tenant = 5)\n"
		"  ->  Function Scan on u  (cost=0.01..0.11 rows=10 width=40)\n",
		"no index is entered with the key" },
	{ "nothing", "", "no index is entered with the key" },
};

static void test_plans(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct plan_scan scan;
		plan_scan_init(&scan);
		for (const char *line = cases[i].plan; *line != '\0'; line = strchr(line, '\n') + 1)
			plan_scan_line(&scan, line, strcspn(line, "\n"));
		const char *found = plan_scan_end(&scan);
		if ((found == NULL) != (cases[i].scan == NULL) || (found != NULL && strcmp(found, cases[i].scan) != 0))
			fail_msg("%s: %s", cases[i].name, found != NULL ? found : "by key");
	}
}

static void test_long_lines_are_cut(void **state)
{
	(void)state;
	char line[5000];
	memset(line, 'x', sizeof line);
	memcpy(line, "->  Seq Scan on ", 16);
	struct plan_scan scan;
	plan_scan_init(&scan);
	plan_scan_line(&scan, line, sizeof line);
	assert_true(strlen(plan_scan_end(&scan)) < PLAN_LINE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_long_lines_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
