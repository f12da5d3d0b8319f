/*
 * The policy file, and with it the YAML that the configuration is read by: whatever the bytes, they are refused with a
 * message or become a policy that says what it was made from. A policy's fields are walked, since the sanitizers look
 * at what is touched.
 */
#include "pure/policy.h"
#include "pure/source_select.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_service(const struct policy *policy, const struct policy_service *service)
{
	assert(policy_service(policy, service->name) == service);
	assert(service->release_count > 0 && service->delete_within > 0 && service->max_duration > 0);
	assert(service->needs_booking ? policy_bookings(policy) != NULL : true);
	for (size_t i = 0; i < service->release_count; i++) {
		const struct policy_release *release = &service->releases[i];
		assert(release->field_count > 0 && release->field_count <= POLICY_FIELDS_MAX);
		for (size_t j = 0; j < release->field_count; j++)
			assert(service->needs_booking || release->fields[j]->source->subject == NULL);
	}
}

static void walk_source(const struct policy *policy, const struct policy_source *source)
{
	const struct policy_field *fields[POLICY_FIELDS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < policy_field_count(policy) && count < POLICY_FIELDS_MAX; i++) {
		if (policy_field_at(policy, i)->source == source)
			fields[count++] = policy_field_at(policy, i);
	}
	struct buffer sql;
	buffer_init(&sql, 1 << 20);
	assert(source_select(source, KEY_TYPE_TEXT, KEY_TYPE_TEXT, fields, count, &sql) == 0);
	buffer_release(&sql);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_error error = { .message = "" };
	struct policy *policy = policy_parse((const char *)data, size, &error);
	if (policy == NULL) {
		assert(error.message[0] != '\0' && strlen(error.message) < sizeof error.message);
		return 0;
	}
	size_t length;
	const char *text = policy_text(policy, &length);
	assert(length == size && memcmp(text, data, size) == 0);
	for (size_t i = 0; i < policy_service_count(policy); i++)
		walk_service(policy, policy_service_at(policy, i));
	for (size_t i = 0; i < policy_source_count(policy); i++)
		walk_source(policy, policy_source_at(policy, i));
	policy_free(policy);
	return 0;
}
