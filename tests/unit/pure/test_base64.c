#include "pure/base64.h"

#include "support/check.h"

/* RFC 4648 section 10. */
static void test_published_vectors(void **state)
{
	(void)state;
	static const struct {
		const char *bytes, *text;
	} vectors[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "+/+/" } };
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		char text[16];
		size_t length = strlen(vectors[i].bytes);
		base64_encode(vectors[i].bytes, length, text);
		assert_string_equal(text, vectors[i].text);
		assert_int_equal(strlen(text), BASE64_LENGTH(length));

		uint8_t bytes[8];
		size_t count = 99;
		assert_int_equal(base64_decode(text, strlen(text), bytes, length, &count), 0);
		assert_int_equal(count, length);
		assert_memory_equal(bytes, vectors[i].bytes, length);
	}
}

static void test_other_texts_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = { "Z", "Zg", "Zg=", "Zg===", "=", "==", "===", "====", "Zg==Zg==", "Zm8=\n",
		"\nZm8=", "Zm 8", "Zm-_", "Zm9v=", "Zm9v====", "Z===", "A===", "AA=A", "Zm=v", "=m9v", "Zm\xc3\xa9",
		"Zm.8", "Zm@8", "Zm[8", "Zm`8", "Zm{8", "Zm:8", /* bits left over */ "Zh==", "Zn==", "Zm9=", "Zm+=" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		uint8_t bytes[16];
		size_t count = 99;
		assert_int_equal(base64_decode(texts[i], strlen(texts[i]), bytes, sizeof bytes, &count), -1);
		assert_int_equal(count, 99);
	}
	size_t count = 99;
	assert_int_equal(base64_decode("Zm\0v", 4, (uint8_t[4]){ 0 }, 4, &count), -1);
}

static void test_what_does_not_fit_is_refused(void **state)
{
	(void)state;
	uint8_t bytes[3] = { 7, 7, 7 };
	size_t count = 99;
	assert_int_equal(base64_decode("Zm9v", 4, bytes, 2, &count), -1);
	assert_int_equal(base64_decode("Zm8=", 4, bytes, 1, &count), -1);
	assert_int_equal(base64_decode("Zg==", 4, bytes, 0, &count), -1);
	assert_int_equal(bytes[2], 7);
	assert_int_equal(count, 99);
}

static void test_every_byte_comes_back(void **state)
{
	(void)state;
	uint8_t bytes[256], back[256];
	char text[BASE64_LENGTH(sizeof bytes) + 1];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 167 + 13);
	for (size_t length = 0; length <= sizeof bytes; length++) {
		size_t count;
		base64_encode(bytes, length, text);
		assert_int_equal(base64_decode(text, strlen(text), back, length, &count), 0);
		assert_int_equal(count, length);
		assert_memory_equal(back, bytes, length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_vectors),
		cmocka_unit_test(test_other_texts_are_refused),
		cmocka_unit_test(test_what_does_not_fit_is_refused),
		cmocka_unit_test(test_every_byte_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
