#include "service/seen_checkpoint.h"

#include "base/memory.h"
#include "support/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "company.example/needtoknow"

static char directory[] = "/tmp/needtoknow-seen-XXXXXX";
static struct note_signer signer, other;

static const char *in_directory(const char *name)
{
	static char path[200];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL || note_signer_generate(&signer, NAME) != 0 ||
		note_signer_generate(&other, NAME) != 0;
}

static int empty_directory(void **state)
{
	(void)state;
	unlink(in_directory("checkpoint"));
	unlink(in_directory("checkpoint.new"));
	unlink(in_directory("checkpoint.lock"));
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static char *make_note(uint64_t size, const struct note_signer *by)
{
	struct checkpoint checkpoint = { .origin = NAME, .size = size };
	char *note = checkpoint_sign(&checkpoint, by, 1);
	assert_non_null(note);
	return note;
}

static struct seen_checkpoint *open_seen(void)
{
	return seen_checkpoint_new(directory, &signer.public, 1);
}

static enum note_result learn(struct seen_checkpoint *seen, uint64_t size, const struct note_signer *by)
{
	char *note = make_note(size, by);
	enum note_result result = seen_checkpoint_learn(seen, note, &(struct checkpoint){ .size = size });
	mem_free(note);
	return result;
}

static void finish(struct seen_checkpoint *seen)
{
	char error[300] = "";
	if (seen_checkpoint_finish(seen, error, sizeof error) != 0)
		fail_msg("%s", error);
}

static void write_file(const char *text)
{
	FILE *file = fopen(in_directory("checkpoint"), "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The size that the file tells to somebody else; 0: there is none. */
static uint64_t stored_size(void)
{
	char error[300];
	struct seen_checkpoint *seen = open_seen();
	assert_int_equal(seen_checkpoint_load(seen, error, sizeof error), 0);
	uint64_t size = seen_checkpoint_last(seen) ? seen_checkpoint_last(seen)->size : 0;
	seen_checkpoint_free(seen);
	return size;
}

static void test_nothing_was_seen_at_first(void **state)
{
	(void)state;
	struct seen_checkpoint *seen = open_seen();
	assert_null(seen_checkpoint_last(seen));
	finish(seen);
	assert_int_equal(stored_size(), 0);
	seen_checkpoint_free(seen);
	seen_checkpoint_free(NULL);
}

static void test_what_is_learned_is_found_by_the_next(void **state)
{
	(void)state;
	struct stat status;
	struct seen_checkpoint *seen = open_seen();
	assert_int_equal(learn(seen, 7, &signer), NOTE_OK);
	assert_int_equal(seen_checkpoint_last(seen)->size, 7);
	finish(seen);
	assert_int_equal(stored_size(), 7);
	assert_int_equal(stat(in_directory("checkpoint"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(access(in_directory("checkpoint.new"), F_OK), -1);
	seen_checkpoint_free(seen);
}

static void test_it_is_stored_without_waiting_for_the_disk(void **state)
{
	(void)state;
	char error[300];
	struct seen_checkpoint *seen = open_seen();
	learn(seen, 7, &signer);
	for (int tries = 0; stored_size() != 7; tries++) {
		assert_true(tries < 1000);
		assert_int_equal(seen_checkpoint_store(seen, error, sizeof error), 0);
		usleep(1000);
	}
	seen_checkpoint_free(seen);
}

static void test_a_smaller_one_is_never_learned_nor_stored(void **state)
{
	(void)state;
	struct seen_checkpoint *first = open_seen(), *second = open_seen();
	learn(first, 9, &signer);
	finish(first);
	assert_int_equal(learn(first, 7, &signer), NOTE_OK);
	assert_int_equal(seen_checkpoint_last(first)->size, 9);
	/* Another worker, which is behind. */
	learn(second, 8, &signer);
	finish(second);
	assert_int_equal(stored_size(), 9);
	seen_checkpoint_free(first);
	seen_checkpoint_free(second);
}

static void test_a_note_that_nobody_known_has_signed_is_not_learned(void **state)
{
	(void)state;
	struct seen_checkpoint *seen = open_seen();
	assert_int_equal(learn(seen, 7, &other), NOTE_UNKNOWN_KEY);
	assert_int_equal(seen_checkpoint_learn(seen, "nonsense", &(struct checkpoint){ .size = 7 }), NOTE_MALFORMED);
	assert_null(seen_checkpoint_last(seen));
	seen_checkpoint_free(seen);
}

static void test_a_note_of_something_else_than_its_row_says_is_not_learned(void **state)
{
	(void)state;
	struct seen_checkpoint *seen = open_seen();
	struct checkpoint published = { .size = 8 };
	char *note = make_note(7, &signer);
	assert_int_equal(seen_checkpoint_learn(seen, note, &published), NOTE_MALFORMED);
	published.size = 7;
	published.root.bytes[31] = 1;
	assert_int_equal(seen_checkpoint_learn(seen, note, &published), NOTE_MALFORMED);
	assert_null(seen_checkpoint_last(seen));
	mem_free(note);
	seen_checkpoint_free(seen);
}

static void test_a_file_that_is_no_checkpoint_is_an_error_and_stays(void **state)
{
	(void)state;
	char *foreign = make_note(7, &other);
	const char *const contents[] = { "", "nonsense\n", foreign };
	for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
		char error[300] = "";
		struct stat status;
		struct seen_checkpoint *seen = open_seen();
		write_file(contents[i]);
		assert_int_equal(seen_checkpoint_load(seen, error, sizeof error), -1);
		assert_non_null(strstr(error, "not to be trusted"));
		learn(seen, 9, &signer);
		assert_int_equal(seen_checkpoint_finish(seen, error, sizeof error), -1);
		assert_int_equal(stat(in_directory("checkpoint"), &status), 0);
		assert_int_equal(status.st_size, strlen(contents[i]));
		seen_checkpoint_free(seen);
	}
	mem_free(foreign);
}

static void test_whoever_removes_the_file_has_it_forgotten(void **state)
{
	(void)state;
	char error[300];
	struct seen_checkpoint *seen = open_seen();
	learn(seen, 7, &signer);
	/* On its way there, it is not forgotten. */
	assert_int_equal(seen_checkpoint_load(seen, error, sizeof error), 0);
	assert_int_equal(seen_checkpoint_last(seen)->size, 7);
	finish(seen);
	unlink(in_directory("checkpoint"));
	assert_int_equal(seen_checkpoint_load(seen, error, sizeof error), 0);
	assert_null(seen_checkpoint_last(seen));
	assert_int_equal(learn(seen, 5, &signer), NOTE_OK);
	finish(seen);
	assert_int_equal(stored_size(), 5);
	seen_checkpoint_free(seen);
}

static void test_one_at_a_time_writes(void **state)
{
	(void)state;
	char error[300];
	struct seen_checkpoint *seen = open_seen();
	int lock = open(in_directory("checkpoint.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(lock >= 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	learn(seen, 7, &signer);
	for (int i = 0; i < 3; i++)
		assert_int_equal(seen_checkpoint_store(seen, error, sizeof error), 0);
	assert_int_equal(stored_size(), 0);
	close(lock);
	finish(seen);
	assert_int_equal(stored_size(), 7);
	seen_checkpoint_free(seen);
}

static void test_a_directory_that_is_gone_is_said_and_nothing_is_forgotten(void **state)
{
	(void)state;
	char error[300] = "";
	struct seen_checkpoint *seen = seen_checkpoint_new("/nowhere/state", &signer.public, 1);
	learn(seen, 7, &signer);
	assert_int_equal(seen_checkpoint_store(seen, error, sizeof error), -1);
	assert_non_null(strstr(error, "/nowhere/state"));
	assert_int_equal(seen_checkpoint_last(seen)->size, 7);
	seen_checkpoint_free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_nothing_was_seen_at_first, empty_directory),
		cmocka_unit_test_teardown(test_what_is_learned_is_found_by_the_next, empty_directory),
		cmocka_unit_test_teardown(test_it_is_stored_without_waiting_for_the_disk, empty_directory),
		cmocka_unit_test_teardown(test_a_smaller_one_is_never_learned_nor_stored, empty_directory),
		cmocka_unit_test_teardown(test_a_note_that_nobody_known_has_signed_is_not_learned, empty_directory),
		cmocka_unit_test_teardown(
			test_a_note_of_something_else_than_its_row_says_is_not_learned, empty_directory),
		cmocka_unit_test_teardown(test_a_file_that_is_no_checkpoint_is_an_error_and_stays, empty_directory),
		cmocka_unit_test_teardown(test_whoever_removes_the_file_has_it_forgotten, empty_directory),
		cmocka_unit_test_teardown(test_one_at_a_time_writes, empty_directory),
		cmocka_unit_test_teardown(
			test_a_directory_that_is_gone_is_said_and_nothing_is_forgotten, empty_directory),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
