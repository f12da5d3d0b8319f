#include "pure/tlog_proof.h"

#include "base/memory.h"
#include "pure/checkpoint.h"
#include "support/check.h"

#define HEAD "c2sp.org/tlog-proof@v1\n"
#define EXTRA "extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ\n"
#define FIRST "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"
#define OTHERS                                                                                                         \
	"B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\nEKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=\n"                 \
	"RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=\nAHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=\n"
#define NOTE                                                                                                           \
	"example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n"                               \
	"— example.com/fancylog hI2DJw==\n— witness1.example mJirIklj\n"

static int parse(const char *text, struct tlog_proof *out)
{
	*out = (struct tlog_proof){ .index = 99 };
	int result = tlog_proof_parse(text, strlen(text), out);
	if (result < 0)
		assert_int_equal(out->index, 99);
	return result;
}

/* The specification's example, but for the signatures that it leaves out. */
static void test_the_example_of_the_specification(void **state)
{
	(void)state;
	static const char *const texts[] = { HEAD EXTRA "index 73894\n" FIRST OTHERS "\n" NOTE,
		HEAD "index 73894\n" FIRST OTHERS "\n" NOTE };
	struct tlog_proof proof;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(parse(texts[i], &proof), 0);
		assert_int_equal(proof.index, 73894);
		assert_int_equal(proof.count, 5);
		uint8_t first[MERKLE_HASH_SIZE];
		from_hex("8122b25e861952067a8ddb9662b9033804629ce30626f7978e032405371d3e54", first);
		assert_memory_equal(proof.hashes[0].bytes, first, sizeof first);
		assert_ptr_equal(proof.note, texts[i] + strlen(texts[i]) - strlen(NOTE));
		assert_int_equal(proof.note_length, strlen(NOTE));
	}
	char *text = tlog_proof_text(&proof);
	assert_string_equal(text, texts[1]);
	mem_free(text);
}

static void test_a_proof_of_a_tree_of_one(void **state)
{
	(void)state;
	struct tlog_proof proof;
	assert_int_equal(parse(HEAD "index 0\n\n" NOTE, &proof), 0);
	assert_int_equal(proof.index, 0);
	assert_int_equal(proof.count, 0);
	assert_int_equal(proof.note_length, strlen(NOTE));
	char *text = tlog_proof_text(&proof);
	assert_string_equal(text, HEAD "index 0\n\n" NOTE);
	mem_free(text);
}

static void test_the_longest_proof(void **state)
{
	(void)state;
	struct tlog_proof proof = {
		.index = UINT64_MAX, .count = MERKLE_PROOF_MAX, .note = NOTE, .note_length = strlen(NOTE)
	};
	for (size_t i = 0; i < proof.count; i++)
		memset(proof.hashes[i].bytes, (int)i + 1, MERKLE_HASH_SIZE);
	char *text = tlog_proof_text(&proof);
	struct tlog_proof read;
	assert_int_equal(parse(text, &read), 0);
	assert_int_equal(read.index, UINT64_MAX);
	assert_int_equal(read.count, MERKLE_PROOF_MAX);
	assert_memory_equal(read.hashes, proof.hashes, sizeof proof.hashes);

	/* One more is refused. */
	const char *note = strstr(text, "\n\n") + 1;
	char longer[8192] = "";
	strncat(longer, text, (size_t)(note - text));
	strncat(longer, FIRST "\n" NOTE, sizeof longer - strlen(longer) - 1);
	assert_int_equal(parse(longer, &read), -1);
	mem_free(text);
}

static void test_other_files_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "\n", HEAD, "c2sp.org/tlog-proof@v1",
		"c2sp.org/tlog-proof@v2\nindex 0\n\n" NOTE, "c2sp.org/tlog-proof@v1 \nindex 0\n\n" NOTE,
		"c2sp.org/tlog-proof@v\nindex 0\n\n" NOTE, "\n" HEAD "index 0\n\n" NOTE, NOTE, HEAD "\n" NOTE,
		HEAD "index\n\n" NOTE, HEAD "index \n\n" NOTE, HEAD "index 00\n\n" NOTE, HEAD "index 01\n\n" NOTE,
		HEAD "index -1\n\n" NOTE, HEAD "index 1 \n\n" NOTE, HEAD "index  1\n\n" NOTE,
		HEAD "index 18446744073709551616\n\n" NOTE, HEAD "Index 1\n\n" NOTE, HEAD "index 1\r\n\n" NOTE,
		HEAD EXTRA, HEAD EXTRA "\n" NOTE, HEAD EXTRA EXTRA "index 1\n\n" NOTE, HEAD "index 1\n" EXTRA "\n" NOTE,
		HEAD "extra\nindex 1\n\n" NOTE, HEAD "index 1\nindex 1\n\n" NOTE,
		/* Hashes: of 31 and 33 bytes, not base64, not canonical. */
		HEAD "index 1\ngSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPg==\n\n" NOTE,
		HEAD "index 1\ngSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQA\n\n" NOTE,
		HEAD "index 1\ngSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlR=\n\n" NOTE,
		HEAD "index 1\ngSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ\n\n" NOTE, HEAD "index 1\nx\n\n" NOTE,
		HEAD "index 1\n " FIRST "\n" NOTE,
		/* No empty line, nothing behind it. */
		HEAD "index 1\n", HEAD "index 1\n" FIRST, HEAD "index 1\n" FIRST NOTE, HEAD "index 1\n" FIRST "\n",
		HEAD "index 1\n\n" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct tlog_proof proof;
		assert_int_equal(parse(texts[i], &proof), -1);
	}
	static const char zero[] = HEAD "index 1\0\n\n" NOTE;
	struct tlog_proof proof;
	assert_int_equal(tlog_proof_parse(zero, sizeof zero - 1, &proof), -1);
}

static void test_no_beginning_of_a_proof_is_one(void **state)
{
	(void)state;
	static const char text[] = HEAD EXTRA "index 73894\n" FIRST OTHERS "\n";
	for (size_t length = 0; length < sizeof text; length++) {
		char *cut = malloc(length + 1); /* so that a byte read behind it is seen */
		memcpy(cut + 1, text, length);
		struct tlog_proof proof;
		assert_int_equal(tlog_proof_parse(cut + 1, length, &proof), -1);
		free(cut);
	}
}

/* As someone does who gets one: the key, the proof and the entry, and nothing else. */
static void test_a_proof_and_a_key_are_all_that_it_takes(void **state)
{
	(void)state;
	struct note_signer signer;
	assert_int_equal(note_signer_generate(&signer, "log.example"), 0);
	struct merkle_hash left, right;
	merkle_leaf("left", 4, &left);
	merkle_leaf("right", 5, &right);
	struct checkpoint head = { .origin = "log.example", .size = 2 };
	merkle_node(&left, &right, &head.root);
	char *note = checkpoint_sign(&head, &signer, 1);
	struct tlog_proof made = {
		.index = 1, .count = 1, .hashes = { left }, .note = note, .note_length = strlen(note)
	};
	char *text = tlog_proof_text(&made);
	mem_free(note);

	struct tlog_proof proof;
	struct checkpoint checkpoint;
	assert_int_equal(parse(text, &proof), 0);
	assert_int_equal(checkpoint_open(proof.note, proof.note_length, &signer.public, 1, &checkpoint), NOTE_OK);
	assert_int_equal(merkle_verify_inclusion(
				 &right, proof.index, checkpoint.size, proof.hashes, proof.count, &checkpoint.root),
		0);
	assert_int_equal(merkle_verify_inclusion(
				 &left, proof.index, checkpoint.size, proof.hashes, proof.count, &checkpoint.root),
		-1);
	mem_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_example_of_the_specification),
		cmocka_unit_test(test_a_proof_of_a_tree_of_one),
		cmocka_unit_test(test_the_longest_proof),
		cmocka_unit_test(test_other_files_are_refused),
		cmocka_unit_test(test_no_beginning_of_a_proof_is_one),
		cmocka_unit_test(test_a_proof_and_a_key_are_all_that_it_takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
