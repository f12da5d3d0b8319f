#include "pure/secret.h"

#include "base/buffer.h"
#include "pure/sha256.h"
#include "support/check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static const uint8_t key[32] = "0123456789abcdef0123456789abcdef";
static const uint8_t other_key[32] = "0123456789abcdef0123456789abcdeF";

/* RFC 4231 section 4. A shorter key is one that zeros fill up; a longer one is its digest: both are what HMAC itself
 * does. */
static void test_rfc_4231(void **state)
{
	(void)state;
	static const struct {
		const char *key, *data, *mac;
	} cases[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
			"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
			"dddddd",
			"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
		{ "0102030405060708090a0b0c0d0e0f10111213141516171819",
			"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
			"cdcdcd",
			"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t padded[32] = { 0 }, data[64], expected[32], mac[32];
		from_hex(cases[i].key, padded);
		size_t length = from_hex(cases[i].data, data);
		from_hex(cases[i].mac, expected);
		struct hmac hmac;
		hmac_init(&hmac, padded);
		hmac_update(&hmac, data, length / 2);
		hmac_update(&hmac, data + length / 2, length - length / 2);
		hmac_final(&hmac, mac);
		assert_memory_equal(mac, expected, 32);
	}
	/* Case 6: 131 bytes of 0xaa. */
	uint8_t long_key[131], digest[32], expected[32], mac[32];
	memset(long_key, 0xaa, sizeof long_key);
	struct sha256 hash;
	sha256_init(&hash);
	sha256_update(&hash, long_key, sizeof long_key);
	sha256_final(&hash, digest);
	static const char data[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	struct hmac hmac;
	hmac_init(&hmac, digest);
	hmac_update(&hmac, data, sizeof data - 1);
	hmac_final(&hmac, mac);
	from_hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", expected);
	assert_memory_equal(mac, expected, 32);
}

/* OpenSSL's own HMAC over bytes that stand here one by one. */
static void assert_mac_of(const uint8_t mac[32], const struct buffer *bytes)
{
	uint8_t expected[32];
	assert_non_null(HMAC(EVP_sha256(), key, 32, bytes->data, bytes->length, expected, NULL));
	assert_memory_equal(mac, expected, 32);
}

static void test_fields_carry_their_lengths(void **state)
{
	(void)state;
	struct buffer bytes;
	buffer_init(&bytes, 1000);
	buffer_append(&bytes, "\0\0\0\2ab\0\0\0\0\0\0\0\1c", 15);
	uint8_t mac[32], other[32];
	secret_hmac(key, (struct secret_field[]){ { "ab", 2 }, { NULL, 0 }, { "c", 1 } }, 3, mac);
	assert_mac_of(mac, &bytes);
	secret_hmac(key, (struct secret_field[]){ { "a", 1 }, { NULL, 0 }, { "bc", 2 } }, 3, other);
	assert_memory_not_equal(mac, other, 32);
	secret_hmac(other_key, (struct secret_field[]){ { "ab", 2 }, { NULL, 0 }, { "c", 1 } }, 3, other);
	assert_memory_not_equal(mac, other, 32);

	buffer_clear(&bytes);
	buffer_append(&bytes, "x", 1);
	buffer_consume(&bytes, 1);
	secret_hmac(key, NULL, 0, mac);
	assert_mac_of(mac, &bytes);
	buffer_release(&bytes);
}

static void test_booking_ref(void **state)
{
	(void)state;
	struct buffer bytes;
	buffer_init(&bytes, 100);
	buffer_append(&bytes, "B000001", 7);
	uint8_t ref[32];
	booking_ref(key, "B000001", ref);
	assert_mac_of(ref, &bytes);
	buffer_release(&bytes);
}

static void test_commitment(void **state)
{
	(void)state;
	static const struct commitment_field fields[] = {
		{ "client.given_name", "Zo\xc3\xab", 4 },
		{ "client.phone", NULL, 0 },
		{ "client.note", "", 0 },
	};
	struct buffer bytes;
	buffer_init(&bytes, 1000);
	buffer_append_u32(&bytes, 2);
	buffer_append(&bytes, "d1", 2);
	buffer_append_u32(&bytes, 17);
	buffer_append(&bytes, "client.given_name", 17);
	buffer_append_u8(&bytes, 0);
	buffer_append_u32(&bytes, 4);
	buffer_append(&bytes, "Zo\xc3\xab", 4);
	buffer_append_u32(&bytes, 12);
	buffer_append(&bytes, "client.phone", 12);
	buffer_append_u8(&bytes, 1);
	buffer_append_u32(&bytes, 0);
	buffer_append_u32(&bytes, 11);
	buffer_append(&bytes, "client.note", 11);
	buffer_append_u8(&bytes, 0);
	buffer_append_u32(&bytes, 0);
	uint8_t commitment[32];
	values_commitment(key, "d1", fields, 3, commitment);
	assert_mac_of(commitment, &bytes);
	buffer_release(&bytes);
}

/* Whatever differs, the commitment differs: NULL from empty, one field from two, a byte that moves from name to value.
 */
static void test_commitment_binds_everything(void **state)
{
	(void)state;
	static const struct {
		const char *delivery_id;
		size_t count;
		struct commitment_field fields[2];
	} cases[] = {
		{ "d1", 2, { { "a", "1", 1 }, { "b", "2", 1 } } },
		{ "d2", 2, { { "a", "1", 1 }, { "b", "2", 1 } } },
		{ "d1", 1, { { "a", "1", 1 } } },
		{ "d1", 2, { { "b", "2", 1 }, { "a", "1", 1 } } },
		{ "d1", 2, { { "a", "", 0 }, { "b", "2", 1 } } },
		{ "d1", 2, { { "a", NULL, 0 }, { "b", "2", 1 } } },
		{ "d1", 2, { { "a", "12", 2 }, { "b", "", 0 } } },
		{ "d1", 2, { { "a1", "", 0 }, { "b", "2", 1 } } },
		{ "d1", 0, { { NULL, NULL, 0 } } },
		{ "d", 0, { { NULL, NULL, 0 } } },
	};
	enum {
		COUNT = sizeof cases / sizeof *cases
	};
	uint8_t commitments[COUNT][32];
	for (size_t i = 0; i < COUNT; i++) {
		values_commitment(key, cases[i].delivery_id, cases[i].fields, cases[i].count, commitments[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(commitments[i], commitments[j], 32);
	}
}

static void test_page_tokens_come_back(void **state)
{
	(void)state;
	uint8_t position[256];
	for (size_t i = 0; i < sizeof position; i++)
		position[i] = (uint8_t)(255 - i);
	for (size_t length = 0; length <= sizeof position; length++) {
		char token[PAGE_TOKEN_MAX];
		assert_int_equal(page_token_make(key, "scope", 5, position, length, token), 0);
		assert_int_equal(strlen(token), ((length + 16) * 8 + 5) / 6);
		assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
			strlen(token));
		uint8_t opened[256];
		size_t opened_length;
		assert_int_equal(page_token_open(key, "scope", 5, token, opened, sizeof opened, &opened_length), 0);
		assert_int_equal(opened_length, length);
		assert_memory_equal(opened, position, length);
		if (length > 0)
			assert_int_equal(
				page_token_open(key, "scope", 5, token, opened, length - 1, &opened_length), -1);
	}
	char token[PAGE_TOKEN_MAX] = "kept";
	uint8_t too_long[257] = { 0 };
	assert_int_equal(page_token_make(key, "scope", 5, too_long, sizeof too_long, token), -1);
	assert_string_equal(token, "kept");
}

/* The documented form, computed by other means. */
static void test_page_token_form(void **state)
{
	(void)state;
	char token[PAGE_TOKEN_MAX];
	assert_int_equal(page_token_make(key, "s", 1, "pos", 3, token), 0);
	uint8_t bytes[3 + 32];
	memcpy(bytes, "pos", 3);
	assert_non_null(HMAC(EVP_sha256(), key, 32, (const uint8_t *)"\0\0\0\1s\0\0\0\3pos", 12, bytes + 3, NULL));
	uint8_t base64[64];
	EVP_EncodeBlock(base64, bytes, 3 + 16);
	for (char *at = (char *)base64; *at != '\0'; at++)
		*at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
	base64[strcspn((char *)base64, "=")] = '\0';
	assert_string_equal(token, (char *)base64);
}

/* Tokens that differ in one character, are shorter, or longer by one: also where base64 has bits to spare. */
static void refuse_neighbours(const char *token)
{
	uint8_t position[32];
	size_t length, size = strlen(token);
	char changed[PAGE_TOKEN_MAX];
	for (size_t i = 0; i <= size; i++) {
		for (int c = 0; c < 256; c++) {
			memcpy(changed, token, size + 1);
			changed[size + 1] = '\0';
			if ((char)c == changed[i])
				continue;
			changed[i] = (char)c;
			assert_int_equal(page_token_open(key, "s", 1, changed, position, sizeof position, &length), -1);
		}
	}
}

static void test_page_tokens_are_bound(void **state)
{
	(void)state;
	char token[PAGE_TOKEN_MAX];
	uint8_t position[16] = { 0x5a };
	size_t length = 99;
	assert_int_equal(page_token_make(key, "caller\0filter", 13, "12345678", 8, token), 0);
	assert_int_equal(page_token_open(other_key, "caller\0filter", 13, token, position, 16, &length), -1);
	assert_int_equal(page_token_open(key, "caller\0filteR", 13, token, position, 16, &length), -1);
	assert_int_equal(page_token_open(key, "caller\0filter1", 14, token, position, 16, &length), -1);
	assert_int_equal(page_token_open(key, NULL, 0, token, position, 16, &length), -1);
	assert_int_equal(position[0], 0x5a);
	assert_int_equal(length, 99);

	for (size_t position_length = 8; position_length <= 10; position_length++) {
		assert_int_equal(page_token_make(key, "s", 1, "1234567890", position_length, token), 0);
		refuse_neighbours(token);
	}
	char longer[PAGE_TOKEN_MAX * 2];
	memset(longer, 'A', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(page_token_open(key, "caller\0filter", 13, longer, position, 16, &length), -1);
	assert_int_equal(page_token_open(key, "caller\0filter", 13, "", position, 16, &length), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_4231),
		cmocka_unit_test(test_fields_carry_their_lengths),
		cmocka_unit_test(test_booking_ref),
		cmocka_unit_test(test_commitment),
		cmocka_unit_test(test_commitment_binds_everything),
		cmocka_unit_test(test_page_tokens_come_back),
		cmocka_unit_test(test_page_token_form),
		cmocka_unit_test(test_page_tokens_are_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
