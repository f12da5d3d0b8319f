#include "daemon/key_file.h"
#include "support/check.h"

#include <stdio.h>
#include <sys/stat.h>

static char directory[] = "/tmp/needtoknow-key-XXXXXX";
static char path[100];

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/ledger.key", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int remove_file(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static struct note_signer make_key(void)
{
	struct note_signer signer;
	assert_int_equal(note_signer_generate(&signer, "company.example/needtoknow"), 0);
	return signer;
}

static void write_key(const struct note_signer *signer)
{
	char error[300];
	assert_int_equal(key_file_write(path, signer, error, sizeof error), 0);
}

static void test_what_was_written_is_read(void **state)
{
	(void)state;
	char error[300];
	struct note_signer signer = make_key(), again;
	write_key(&signer);
	assert_int_equal(key_file_read(path, &again, error, sizeof error), 0);
	assert_string_equal(again.public.name, signer.public.name);
	assert_memory_equal(again.public.key, signer.public.key, sizeof signer.public.key);
	assert_memory_equal(again.seed, signer.seed, sizeof signer.seed);
}

static void test_its_owner_alone_can_read_it_whatever_the_umask(void **state)
{
	(void)state;
	static const mode_t umasks[] = { 0, 022, 0777 };
	for (size_t i = 0; i < sizeof umasks / sizeof *umasks; i++) {
		struct note_signer signer = make_key();
		struct stat status;
		mode_t before = umask(umasks[i]);
		write_key(&signer);
		umask(before);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 07777, 0600);
		unlink(path);
	}
}

static void test_a_key_that_is_there_is_never_written_over(void **state)
{
	(void)state;
	char error[300];
	struct note_signer first = make_key(), second = make_key(), read;
	write_key(&first);
	assert_int_equal(key_file_write(path, &second, error, sizeof error), -1);
	assert_non_null(strstr(error, "File exists"));
	assert_int_equal(key_file_read(path, &read, error, sizeof error), 0);
	assert_memory_equal(read.seed, first.seed, sizeof first.seed);
}

static void expect_refusal(const char *text, size_t length, const char *expected)
{
	char error[300];
	struct note_signer signer;
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(key_file_read(path, &signer, error, sizeof error), -1);
	assert_non_null(strstr(error, expected));
	assert_null(strstr(error, "PRIVATE"));
}

static void test_what_is_no_key_is_refused(void **state)
{
	(void)state;
	char text[2 * NOTE_KEY_TEXT_MAX] = "", longest[1000];
	struct note_signer signer = make_key();
	note_signer_text(&signer, text);
	size_t length = strlen(text);
	expect_refusal("", 0, "is not a signing key");
	expect_refusal("nonsense\n", 9, "is not a signing key");
	expect_refusal(text, length - 1, "is not a signing key");
	expect_refusal(text, length + 1, "is not a signing key"); /* and a NUL */
	text[length - 8] ^= 1;
	expect_refusal(text, length, "is not a signing key");
	memset(longest, 'a', sizeof longest);
	expect_refusal(longest, sizeof longest, "is not a signing key");
}

static void test_a_key_that_others_can_read_is_refused(void **state)
{
	(void)state;
	static const mode_t modes[] = { 0604, 0620, 0602, 0660 };
	struct note_signer signer = make_key(), read;
	write_key(&signer);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		char error[300];
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_int_equal(key_file_read(path, &read, error, sizeof error), -1);
		assert_non_null(strstr(error, "can be read or written by others"));
	}
}

static void test_what_is_no_file_is_refused(void **state)
{
	(void)state;
	char error[300];
	struct note_signer signer;
	assert_int_equal(key_file_read(path, &signer, error, sizeof error), -1);
	assert_non_null(strstr(error, "No such file"));
	assert_int_equal(key_file_read(directory, &signer, error, sizeof error), -1);
	assert_non_null(strstr(error, "is not a regular file"));
	assert_int_equal(key_file_read("/dev/null", &signer, error, sizeof error), -1);
	assert_non_null(strstr(error, "is not a regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_what_was_written_is_read, remove_file),
		cmocka_unit_test(test_its_owner_alone_can_read_it_whatever_the_umask),
		cmocka_unit_test_teardown(test_a_key_that_is_there_is_never_written_over, remove_file),
		cmocka_unit_test_teardown(test_what_is_no_key_is_refused, remove_file),
		cmocka_unit_test_teardown(test_a_key_that_others_can_read_is_refused, remove_file),
		cmocka_unit_test(test_what_is_no_file_is_refused),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
