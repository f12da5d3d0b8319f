#ifndef NEEDTOKNOW_PURE_POLICY_MODEL_H
#define NEEDTOKNOW_PURE_POLICY_MODEL_H

#include "base/arena.h"
#include "pure/name_table.h"
#include "pure/policy.h"
#include "pure/yaml_reader.h"

/* The inside of a policy, for policy*.c alone. What is not said to be elsewhere lives in the arena. */
struct policy {
	struct arena *arena;
	const char *text;
	size_t length;
	uint8_t digest[32];

	const char *controller_name, *data_protection_officer;
	size_t security_measure_count;
	const char **security_measures;

	size_t source_count;
	struct policy_source *sources;
	const struct policy_source *subjects, *bookings;
	struct name_table source_names;

	size_t service_count;
	struct policy_service *services;
	struct name_table service_names;

	size_t field_count, field_capacity;
	const struct policy_field **fields; /* on the heap, since it grows */
	struct name_table field_names;

	struct policy_retention retention;
	int64_t acknowledge_within;
};

/* What the readers of policy_load.c know beside the value; reader->context. */
struct policy_loading {
	struct policy *policy;
	struct policy_service *service; /* the one that is being read */
};

/* The whole file into *policy, whose arena and tables are there. 0, or -1 and reader->error. */
int policy_load(struct yaml_reader *reader, const struct yaml_value *root, struct policy *policy);

/* Of a policy whose sources are read: `source.column`, in any source. */
int policy_read_field_name(struct yaml_reader *reader, const struct yaml_value *value, struct policy_field *out);
yaml_read policy_read_duration; /* int64_t, more than 0 */

/* The sections `retention` and `limits`; the members are the whole policy. */
yaml_read policy_read_retention;
yaml_read policy_read_limits;

#endif
