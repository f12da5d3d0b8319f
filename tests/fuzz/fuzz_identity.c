/* The URI of a client's certificate. */
#include "pure/identity.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is accepted can be written again from its parts, but for a device that was left out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct identity identity;
	if (identity_parse((const char *)data, size, "x.example", &identity) != 0)
		return 0;
	assert(identity.role != ROLE_NONE && identity.name[0] != '\0');
	assert(strlen(identity.uri) == size && memcmp(identity.uri, data, size) == 0);

	char again[3 * IDENTITY_URI_MAX];
	snprintf(again, sizeof again, "spiffe://x.example/%s/%s", role_name(identity.role), identity.name);
	if (identity.role != ROLE_RECIPIENT) {
		assert(identity.device[0] == '\0' && strcmp(again, identity.uri) == 0);
		return 0;
	}
	assert(identity.device[0] != '\0');
	if (strcmp(again, identity.uri) == 0) {
		assert(strcmp(identity.device, "default") == 0);
		return 0;
	}
	strncat(again, "/", sizeof again - strlen(again) - 1);
	strncat(again, identity.device, sizeof again - strlen(again) - 1);
	assert(strcmp(again, identity.uri) == 0);
	return 0;
}
