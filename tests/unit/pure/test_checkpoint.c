#include "pure/checkpoint.h"

#include "base/memory.h"
#include "support/check.h"

#include <stdio.h>

#define LOG "log.example/audit"
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

static struct note_signer generate(const char *name)
{
	struct note_signer out;
	assert_int_equal(note_signer_generate(&out, name), 0);
	return out;
}

static enum note_result open_with(
	const char *note, const struct note_verifier *verifiers, size_t count, struct checkpoint *out)
{
	struct checkpoint untouched = { .size = 99 };
	*out = untouched;
	enum note_result result = checkpoint_open(note, strlen(note), verifiers, count, out);
	if (result != NOTE_OK)
		assert_memory_equal(out, &untouched, sizeof untouched);
	return result;
}

/* The text of tlog-checkpoint's example. */
static void test_a_checkpoint_is_written_as_specified_and_read(void **state)
{
	(void)state;
	const struct note_signer signer = generate(LOG);
	struct checkpoint made = { .origin = LOG, .size = 20852163 }, read;
	from_hex("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62", made.root.bytes);
	char *note = checkpoint_sign(&made, &signer, 1);
	static const char text[] = LOG "\n20852163\n" ROOT "\n\n— " LOG " ";
	assert_memory_equal(note, text, strlen(text));
	assert_true(strlen(note) < CHECKPOINT_NOTE_MAX);
	assert_int_equal(open_with(note, &signer.public, 1, &read), NOTE_OK);
	assert_memory_equal(&read, &made, sizeof made);
	mem_free(note);
}

static void test_sizes(void **state)
{
	(void)state;
	const struct note_signer signer = generate(LOG);
	static const uint64_t sizes[] = { 0, 1, 10, 4294967296, INT64_MAX };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct checkpoint made = { .origin = LOG, .size = sizes[i] }, read;
		char *note = checkpoint_sign(&made, &signer, 1);
		assert_int_equal(open_with(note, &signer.public, 1, &read), NOTE_OK);
		assert_int_equal(read.size, sizes[i]);
		mem_free(note);
	}
}

static enum note_result open_text(const char *text, struct checkpoint *out)
{
	const struct note_signer signer = generate(LOG);
	char *note = note_sign(text, &signer, 1);
	assert_non_null(note);
	enum note_result result = open_with(note, &signer.public, 1, out);
	mem_free(note);
	return result;
}

static void test_signed_texts_that_are_no_checkpoints(void **state)
{
	(void)state;
	static const char *const texts[] = { "\n", LOG "\n", LOG "\n7\n", "\n7\n" ROOT "\n", LOG "\n\n" ROOT "\n",
		LOG "\n7\n\n", LOG "\n07\n" ROOT "\n", LOG "\n-7\n" ROOT "\n", LOG "\n+7\n" ROOT "\n",
		LOG "\n 7\n" ROOT "\n", LOG "\n7 \n" ROOT "\n", LOG "\n0x7\n" ROOT "\n", LOG "\nseven\n" ROOT "\n",
		LOG "\n9223372036854775808\n" ROOT "\n", LOG "\n18446744073709551615\n" ROOT "\n",
		LOG "\n18446744073709551616\n" ROOT "\n", LOG "\n7\n" ROOT " \n", LOG "\n7\n " ROOT "\n",
		/* 31 bytes, 33 bytes, bits left over, no padding, hexadecimal. */
		LOG "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n",
		LOG "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2IA\n",
		LOG "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
		LOG "\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
		LOG "\n7\n0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62\n", LOG "\n7\n" ROOT "\n\n",
		LOG "\n7\n" ROOT "\nextension\n\nmore\n", "\n" LOG "\n7\n" ROOT "\n" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct checkpoint read;
		assert_int_equal(open_text(texts[i], &read), NOTE_MALFORMED);
	}
	char longest[NOTE_KEY_NAME_MAX + 100];
	struct checkpoint read;
	snprintf(longest, sizeof longest, "%0*d\n7\n" ROOT "\n", NOTE_KEY_NAME_MAX + 1, 0);
	assert_int_equal(open_text(longest, &read), NOTE_MALFORMED);
}

static void test_extension_lines_are_let_pass(void **state)
{
	(void)state;
	struct checkpoint read;
	assert_int_equal(open_text(LOG "\n7\n" ROOT "\nTimestamp: 1\n— x AAAAAAA=\n", &read), NOTE_OK);
	assert_int_equal(read.size, 7);
}

static void test_the_checkpoint_of_another_log_is_refused(void **state)
{
	(void)state;
	const struct note_signer ours = generate(LOG), theirs = generate("witness.example");
	struct checkpoint made = { .origin = LOG, .size = 7 }, read;

	/* Its own key, but another origin. */
	assert_int_equal(open_text(LOG "x\n7\n" ROOT "\n", &read), NOTE_UNKNOWN_KEY);
	assert_int_equal(open_text("log.example\n7\n" ROOT "\n", &read), NOTE_UNKNOWN_KEY);

	/* Our origin, but another name's key: also when we know that key, as a witness's. */
	const struct note_verifier both[] = { ours.public, theirs.public };
	char *note = checkpoint_sign(&made, &theirs, 1);
	assert_int_equal(open_with(note, &theirs.public, 1, &read), NOTE_UNKNOWN_KEY);
	assert_int_equal(open_with(note, both, 2, &read), NOTE_UNKNOWN_KEY);
	assert_int_equal(open_with(note, NULL, 0, &read), NOTE_UNKNOWN_KEY);
	mem_free(note);

	const struct note_signer signers[] = { theirs, ours };
	note = checkpoint_sign(&made, signers, 2);
	assert_int_equal(open_with(note, both, 2, &read), NOTE_OK);
	mem_free(note);
}

static void test_while_a_key_takes_over_either_opens(void **state)
{
	(void)state;
	const struct note_signer signers[] = { generate(LOG), generate(LOG) };
	const struct note_verifier old_first[] = { signers[0].public, signers[1].public };
	struct checkpoint made = { .origin = LOG, .size = 7 }, read;
	char *note = checkpoint_sign(&made, signers, 2);
	assert_int_equal(open_with(note, old_first, 1, &read), NOTE_OK);
	assert_int_equal(open_with(note, old_first + 1, 1, &read), NOTE_OK);
	assert_int_equal(open_with(note, old_first, 2, &read), NOTE_OK);
	char *digit = note + strlen(note) - 10; /* in the second's signature */
	*digit = *digit == 'A' ? 'B' : 'A';
	assert_int_equal(open_with(note, old_first, 1, &read), NOTE_OK);
	assert_int_equal(open_with(note, old_first, 2, &read), NOTE_BAD_SIGNATURE);
	mem_free(note);
}

/* Whoever has no key still sees what is said: the same things are checkpoints, whoever signed them. */
static void test_reading_without_verifying(void **state)
{
	(void)state;
	static const char *const notes[] = { LOG "\n7\n" ROOT "\n\n— " LOG " AAAAAAA=\n", LOG "\n7\n" ROOT "\n\n",
		LOG "\n7\n" ROOT "\nextension\n\nanything" };
	struct checkpoint read, expected = { .origin = LOG, .size = 7 };
	from_hex("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62", expected.root.bytes);
	for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
		assert_int_equal(checkpoint_read(notes[i], strlen(notes[i]), &read), 0);
		assert_memory_equal(&read, &expected, sizeof read);
	}
	static const char *const others[] = { "", "\n\n", LOG "\n7\n" ROOT "\n", LOG "\n7\n" ROOT,
		LOG "\n\n7\n" ROOT "\n\n", LOG "\n9223372036854775808\n" ROOT "\n\n", "\n7\n" ROOT "\n\n" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		read.size = 99;
		assert_int_equal(checkpoint_read(others[i], strlen(others[i]), &read), -1);
		assert_int_equal(read.size, 99);
	}
}

static void test_origins_that_cannot_be(void **state)
{
	(void)state;
	const struct note_signer signer = generate(LOG);
	static const char *const origins[] = { "", "\n", "a\n", "a\nb", "a\tb", "\xff" };
	for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
		struct checkpoint made = { .size = 7 };
		strncat(made.origin, origins[i], sizeof made.origin - 1);
		assert_null(checkpoint_sign(&made, &signer, 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_checkpoint_is_written_as_specified_and_read),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_signed_texts_that_are_no_checkpoints),
		cmocka_unit_test(test_extension_lines_are_let_pass),
		cmocka_unit_test(test_the_checkpoint_of_another_log_is_refused),
		cmocka_unit_test(test_while_a_key_takes_over_either_opens),
		cmocka_unit_test(test_reading_without_verifying),
		cmocka_unit_test(test_origins_that_cannot_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
