#include "service/erasure_file.h"

#include "support/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/needtoknow-erasures-XXXXXX";
static const uint8_t secret[32] = "of this database";
static char error[400];

static const char *in_directory(const char *name)
{
	static char path[200];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL;
}

static int empty_directory(void **state)
{
	(void)state;
	unlink(in_directory("erasures"));
	unlink(in_directory("erasures.new"));
	unlink(in_directory("erasures.lock"));
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static struct erasure_line line_of(uint8_t key, int64_t recorded_at)
{
	struct erasure_line line = { .recorded_at = recorded_at };
	memset(line.request_key, key, sizeof line.request_key);
	snprintf(line.subject_id, sizeof line.subject_id, "C%d", key);
	return line;
}

static enum erasure_written put(struct erasure_file *file, uint8_t key, int64_t recorded_at, int64_t drop_before)
{
	struct erasure_line line = line_of(key, recorded_at);
	enum erasure_written written = erasure_file_write(file, &line, 1, drop_before, error, sizeof error);
	while (written == ERASURE_WRITING)
		written = erasure_file_poll(file, error, sizeof error);
	return written;
}

static size_t count_of(struct erasure_file *file)
{
	size_t count;
	assert_int_equal(erasure_file_read(file, error, sizeof error), 0);
	erasure_file_lines(file, &count);
	return count;
}

static void two_workers_add_to_one_file_and_each_line_once(void **state)
{
	struct erasure_file *one = erasure_file_new(directory, secret), *two = erasure_file_new(directory, secret);
	(void)state;
	assert_int_equal(count_of(one), 0);
	assert_int_equal(put(one, 1, 1000, INT64_MIN), ERASURE_DURABLE);
	assert_int_equal(put(two, 2, 2000, INT64_MIN), ERASURE_DURABLE);
	assert_int_equal(put(two, 1, 1000, INT64_MIN), ERASURE_DURABLE);
	assert_int_equal(count_of(one), 2);
	assert_int_equal(count_of(two), 2);
	assert_true(erasure_file_has(one, line_of(2, 0).request_key));
	struct stat status;
	assert_int_equal(stat(in_directory("erasures"), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	erasure_file_free(one);
	erasure_file_free(two);
}

static void who_finds_it_locked_tries_again(void **state)
{
	struct erasure_file *file = erasure_file_new(directory, secret);
	int lock = open(in_directory("erasures.lock"), O_RDWR | O_CREAT, 0600);
	(void)state;
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(put(file, 1, 1000, INT64_MIN), ERASURE_BUSY);
	close(lock);
	assert_int_equal(put(file, 1, 1000, INT64_MIN), ERASURE_DURABLE);
	erasure_file_free(file);
}

static void old_lines_go_and_others_see_it(void **state)
{
	struct erasure_file *file = erasure_file_new(directory, secret), *other = erasure_file_new(directory, secret);
	(void)state;
	for (uint8_t key = 1; key <= 4; key++)
		put(file, key, key * 1000, INT64_MIN);
	assert_int_equal(count_of(other), 4);
	assert_int_equal(put(file, 5, 5000, 3000), ERASURE_DURABLE);
	assert_int_equal(count_of(file), 3);
	assert_int_equal(count_of(other), 3);
	assert_false(erasure_file_has(other, line_of(2, 0).request_key));
	assert_true(erasure_file_has(other, line_of(3, 0).request_key));
	erasure_file_free(file);
	erasure_file_free(other);
}

static void the_rest_of_a_writer_that_died_goes_and_a_changed_line_is_refused(void **state)
{
	struct erasure_file *file = erasure_file_new(directory, secret);
	(void)state;
	put(file, 1, 1000, INT64_MIN);
	FILE *end = fopen(in_directory("erasures"), "a");
	fputs("2026-11-23T12:0", end);
	fclose(end);
	assert_int_equal(count_of(file), 1);
	assert_int_equal(put(file, 2, 2000, INT64_MIN), ERASURE_DURABLE);
	assert_int_equal(count_of(file), 2);
	end = fopen(in_directory("erasures"), "a");
	fputs("2026-11-23T12:00:00Z AAAA\n", end);
	fclose(end);
	assert_int_equal(erasure_file_read(file, error, sizeof error), -1);
	assert_non_null(strstr(error, "line 3"));
	assert_int_equal(put(file, 3, 3000, INT64_MIN), ERASURE_FAILED);
	erasure_file_free(file);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, empty_directory)
	const struct CMUnitTest tests[] = {
		TEST(two_workers_add_to_one_file_and_each_line_once),
		TEST(who_finds_it_locked_tries_again),
		TEST(old_lines_go_and_others_see_it),
		TEST(the_rest_of_a_writer_that_died_goes_and_a_changed_line_is_refused),
		cmocka_unit_test_setup_teardown(
			two_workers_add_to_one_file_and_each_line_once, empty_directory, empty_directory),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
