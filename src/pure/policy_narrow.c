#include "pure/policy_narrow.h"

#include "pure/policy_diff.h"

#include <assert.h>
#include <string.h>

static void *take(struct arena *arena, size_t size)
{
	void *memory = arena_alloc(arena, size ? size : 1);
	assert(memory);
	return memory;
}

/* The field as the service in force sends it, and when; NULL when it no longer does. */
static const struct policy_field *find(
	const struct policy_service *in_force, const char *name, const struct moment **at)
{
	for (size_t i = 0; in_force && i < in_force->release_count; i++) {
		const struct policy_release *release = &in_force->releases[i];
		for (size_t j = 0; j < release->field_count; j++) {
			if (strcmp(release->fields[j]->name, name))
				continue;
			*at = &release->at;
			return release->fields[j];
		}
	}
	return NULL;
}

static void narrow_release(struct policy_release *release, const struct policy_release *shared,
	const struct policy_service *in_force, struct arena *arena)
{
	const struct policy_field **fields = take(arena, shared->field_count * sizeof *fields);
	struct moment *later = take(arena, shared->field_count * sizeof *later);
	*release = *shared;
	release->fields = fields;
	release->later = later;
	release->field_count = release->later_count = 0;
	for (size_t i = 0; i < shared->field_count; i++) {
		const struct moment *at;
		const struct policy_field *field = find(in_force, shared->fields[i]->name, &at);
		if (!field)
			continue;
		fields[release->field_count++] = field;
		later[release->later_count++] = *at;
	}
}

/* Sensitive is what is sensitive in either. */
static void mark_sensitive(struct policy_release *release, const struct policy_service *in_force)
{
	for (size_t i = 0; in_force && i < in_force->release_count; i++)
		for (size_t j = 0; in_force->releases[i].sensitive && j < in_force->releases[i].field_count; j++)
			for (size_t k = 0; k < release->field_count; k++)
				release->sensitive |= release->fields[k] == in_force->releases[i].fields[j];
}

const struct policy_service *policy_narrow(
	const struct policy_service *shared, const struct policy_service *in_force, struct arena *arena)
{
	if (!policy_service_is_narrower(shared, in_force))
		return NULL;
	struct policy_service *narrow = take(arena, sizeof *narrow);
	struct policy_release *releases = take(arena, shared->release_count * sizeof *releases);
	*narrow = in_force ? *in_force : *shared;
	narrow->max_duration = shared->max_duration; /* the booking was taken */
	if (!in_force) {
		narrow->requires = NULL; /* nothing is sent any more that it could allow */
		narrow->needs_booking = false;
	}
	for (size_t i = 0; i < shared->release_count; i++) {
		narrow_release(&releases[i], &shared->releases[i], in_force, arena);
		mark_sensitive(&releases[i], in_force);
	}
	narrow->releases = releases;
	narrow->release_count = shared->release_count;
	return narrow;
}

uint64_t release_left_out(const struct policy_release *shared, const struct policy_release *left)
{
	uint64_t left_out = 0;
	size_t next = 0; /* what is left is in the same order */
	for (size_t i = 0; i < shared->field_count && shared != left; i++) {
		if (next < left->field_count && !strcmp(shared->fields[i]->name, left->fields[next]->name))
			next++;
		else
			left_out |= UINT64_C(1) << i;
	}
	return left_out;
}
