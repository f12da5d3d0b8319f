/* Files of clients' requests: what a line asks, under which id, and what an earlier run has done. */
#include "run.h"

#include "cli/bulk_file.h"
#include "cli/bulk_results.h"
#include "cli/options.h"
#include "cli/rights.h"

#include <needtoknow/methods.h>

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static struct ran ran;
static char path[64], results_path[80];

#define HAS(text, words) assert_non_null(strstr(text, words))

static void put(const char *to, const char *content)
{
	FILE *file = fopen(to, "we");

	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/needtoknow-bulk-%d.csv", (int)getpid());
	snprintf(results_path, sizeof results_path, "%s.results.csv", path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(results_path);
	return 0;
}

static const char *const switches[] = { "upheld", NULL };
static const struct bulk_shape shape = {
	.method = "/needtoknow.v1.RightsService/Object",
	.columns = BULK_HAS(BULK_PURPOSE) | BULK_HAS(BULK_REASON),
	.switches = switches,
};

/* The file as `needtoknow rights object --file ... --channel email --received ...` reads it, one flag more or NULL. */
static void read_file(const char *content, const char *flag, struct bulk_file *out)
{
	static struct invocation invocation;
	static struct command command;
	char *argv[] = { (char *)(uintptr_t) "needtoknow", (char *)(uintptr_t) "--file", path,
		(char *)(uintptr_t) "--channel", (char *)(uintptr_t) "email", (char *)(uintptr_t) "--received",
		(char *)(uintptr_t) "2026-11-20T09:00:00Z", (char *)(uintptr_t)flag, NULL };
	bool help;

	command = (struct command){
		.name = "rights object", .operand = "[SUBJECT_ID]", .flags = rights_object_flags, .connects = true
	};
	put(path, content);
	assert_int_equal(options_parse(&command, flag != NULL ? 8 : 7, argv, 1, &invocation, &help, stderr), EXIT_OK);
	assert_int_equal(bulk_file_read(&invocation, &shape, path, out), EXIT_OK);
}

static void test_p6_a_line_has_its_id_wherever_it_stands(void **state)
{
	struct bulk_file one, other;

	(void)state;
	read_file("subject,purpose\nC1,dpv:DirectMarketing\nC2,dpv:DirectMarketing\n", NULL, &one);
	assert_int_equal(one.count, 2);
	assert_string_not_equal(one.lines[0].request_id, one.lines[1].request_id);
	read_file("purpose;subject\n\ndpv:DirectMarketing;C2\n;C1\ndpv:DirectMarketing;C1\n", NULL, &other);
	assert_int_equal(other.lines[0].number, 3);
	assert_string_equal(other.lines[0].request_id, one.lines[1].request_id);
	assert_string_not_equal(other.lines[1].request_id, one.lines[0].request_id); /* another purpose: all */
	assert_string_equal(other.lines[2].request_id, one.lines[0].request_id);
	bulk_file_release(&other);
	read_file("subject,purpose\nC1,dpv:DirectMarketing\n", "--upheld", &other);
	assert_string_not_equal(other.lines[0].request_id, one.lines[0].request_id);
	bulk_file_release(&other);
	bulk_file_release(&one);
}

static void test_lines_that_ask_the_same_are_one_request(void **state)
{
	struct bulk_file file;

	(void)state;
	read_file("subject\nC1\nC2\nC1\nC1\n", NULL, &file);
	assert_int_equal(file.lines[0].same_as, 0);
	assert_int_equal(file.lines[1].same_as, 0);
	assert_int_equal(file.lines[2].same_as, 2);
	assert_int_equal(file.lines[3].same_as, 2);
	bulk_file_release(&file);
}

static const char *refuse(const char *content, const char *received)
{
	put(path, content);
	run(&ran, "rights", "object", "--file", path, "--channel", "email", "--received", received, NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	assert_int_equal(access(results_path, F_OK), -1);
	return ran.err;
}

static void test_what_is_wrong_is_named_by_its_line(void **state)
{
	static const char when[] = "2026-11-20T09:00:00Z";

	(void)state;
	HAS(refuse("subjekt\nC1\n", when), ".csv:1: there is no column `subjekt`; did you mean `subject`?");
	HAS(refuse("purpose\nC1\n", when), ".csv:1: there is no column `subject`");
	HAS(refuse("subject,channel\nC1,email\n", when), "leave out --channel");
	HAS(refuse("subject,purpose\nC1,a\nC2\n", when), ".csv:3: it has not as many cells");
	HAS(refuse("subject,purpose\n\"\",a\n", when), ".csv:2: a cell is empty");
	HAS(refuse("subject\nC1\n", "now"), ".csv:2: received is no time");
	HAS(refuse("subject,reason\nC1,a\nC1,b\n", when), ".csv:3: asks otherwise for the same as line 2");
	HAS(refuse("", when), "it is empty");
	run(&ran, "rights", "object", "C1", "--file", path, NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "C1 and --file contradict");
	run(&ran, "rights", "erase", "--file", path, "--dry-run", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "--dry-run and --file contradict");
	run(&ran, "rights", "erase", "--channel", "email", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "SUBJECT_ID is missing");
}

/* One line done, one refused, one cut off in the middle of its writing. */
static void test_p6_an_earlier_run_is_gone_on_from(void **state)
{
	static const char content[] = "subject\nC1\nC2\nC3\n";
	struct bulk_results results;
	struct bulk_file file;
	char last[512];

	(void)state;
	read_file(content, NULL, &file);
	assert_int_equal(bulk_results_open(&results, NULL, path, false, &file), EXIT_OK);
	file.lines[0].done = true;
	file.lines[0].ledger_index = 17;
	assert_int_equal(bulk_results_add(&results, &file.lines[0], &(struct bulk_result){ "DONE", "", "" }), 0);
	assert_int_equal(bulk_results_add(&results, &file.lines[1],
				 &(struct bulk_result){ "REFUSED", "NO_RIGHT_TO_OBJECT", "a, \"b\"" }),
		0);
	fprintf(results.csv.file, "4,\"C3\",\"%s\",DONE,1", file.lines[2].request_id);
	assert_int_equal(bulk_results_close(&results), 0);
	bulk_file_release(&file);

	read_file("subject\nC0\nC1\nC2\nC3\n", NULL, &file);
	assert_int_equal(bulk_results_open(&results, NULL, path, false, &file), EXIT_OK);
	assert_false(file.lines[0].done);
	assert_true(file.lines[1].done);
	assert_int_equal(file.lines[1].ledger_index, 17);
	assert_false(file.lines[2].done);
	assert_false(file.lines[3].done);
	assert_int_equal(bulk_results_close(&results), 0);
	FILE *written = fopen(results_path, "re");
	last[fread(last, 1, sizeof last - 1, written)] = '\0';
	fclose(written);
	HAS(last, "line,subject_id,request_id,outcome,ledger_index,reason,message\r\n");
	HAS(last, ",DONE,17,,\r\n");
	assert_null(strstr(last, "REFUSED"));
	assert_null(strstr(last, "C3"));
	bulk_file_release(&file);

	put(results_path, "name,address\r\nMarie,Lyon\r\n"); /* somebody's own file */
	read_file(content, NULL, &file);
	assert_int_equal(bulk_results_open(&results, NULL, path, false, &file), EXIT_USAGE);
	bulk_file_release(&file);
	unlink(results_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_p6_a_line_has_its_id_wherever_it_stands),
		cmocka_unit_test(test_lines_that_ask_the_same_are_one_request),
		cmocka_unit_test(test_what_is_wrong_is_named_by_its_line),
		cmocka_unit_test(test_p6_an_earlier_run_is_gone_on_from),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
