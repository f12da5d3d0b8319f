/* Page tokens that callers send back. */
#include "pure/secret.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[32] = "a key that callers do not know..";

static void open_what_is_sent(const uint8_t *data, size_t size)
{
	char *token = malloc(size + 1);
	if (size > 0)
		memcpy(token, data, size);
	token[size] = '\0';
	uint8_t position[256];
	size_t length;
	if (page_token_open(key, "scope", 5, token, position, sizeof position, &length) == 0) {
		/* Only what we make ourselves. */
		char made[PAGE_TOKEN_MAX];
		assert(page_token_make(key, "scope", 5, position, length, made) == 0);
		assert(strcmp(made, token) == 0);
	}
	free(token);
}

static void make_and_change(const uint8_t *data, size_t size)
{
	char token[PAGE_TOKEN_MAX];
	uint8_t position[256];
	size_t length;
	if (page_token_make(key, "scope", 5, data, size, token) != 0) {
		assert(size > sizeof position);
		return;
	}
	assert(page_token_open(key, "scope", 5, token, position, sizeof position, &length) == 0);
	assert(length == size && (size == 0 || memcmp(position, data, size) == 0));
	assert(page_token_open(key, "scopf", 5, token, position, sizeof position, &length) == -1);
	if (size == 0)
		return;
	size_t place = data[0] % strlen(token);
	token[place] = token[place] == 'A' ? 'B' : 'A';
	assert(page_token_open(key, "scope", 5, token, position, sizeof position, &length) == -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	open_what_is_sent(data, size);
	make_and_change(data, size);
	return 0;
}
