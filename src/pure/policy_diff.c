#include "pure/policy_diff.h"

#include "pure/decision.h"

#include <string.h>

struct telling {
	void (*tell)(void *context, const struct policy_change *change);
	void *context;
	struct policy_change change; /* what is the same in all that is told next */
};

static void tell(struct telling *telling, enum policy_aspect aspect, enum policy_effect effect)
{
	telling->change.aspect = aspect;
	telling->change.effect = effect;
	telling->tell(telling->context, &telling->change);
}

/* ---- what is more ---- */

enum order {
	EARLIER,
	SAME,
	LATER,
	UNKNOWN, /* it depends on when the booking was made, and on how long it is */
};

/* Is `after` earlier or later than `before`, whatever the booking? */
static enum order compare_moments(const struct moment *before, const struct moment *after)
{
	if (before->anchor == after->anchor)
		return after->offset < before->offset ? EARLIER : after->offset > before->offset ? LATER : SAME;
	/* Nothing is due before the booking is made. */
	if (after->anchor == MOMENT_BOOKED && after->offset <= 0)
		return EARLIER;
	if (before->anchor == MOMENT_BOOKED && before->offset <= 0)
		return LATER;
	/* The end comes after the start. */
	if (before->anchor == MOMENT_START && after->anchor == MOMENT_END && after->offset >= before->offset)
		return LATER;
	if (before->anchor == MOMENT_END && after->anchor == MOMENT_START && after->offset <= before->offset)
		return EARLIER;
	return UNKNOWN;
}

static enum policy_effect effect_of_end(enum order order)
{
	return order == EARLIER ? POLICY_SEES_LESS : POLICY_SEES_MORE;
}

static enum policy_effect effect_of_period(int64_t before, int64_t after)
{
	return after < before ? POLICY_SEES_LESS : POLICY_SEES_MORE;
}

/* A right to say no that is gone lets through what it held back. */
static enum policy_effect effect_of_reason(const struct policy_service *before, const struct policy_service *after)
{
	bool barred = objection_bars(before), bars = objection_bars(after);
	return barred == bars ? POLICY_SEES_AS_MUCH : bars ? POLICY_SEES_LESS : POLICY_SEES_MORE;
}

/* ---- fields ---- */

static bool same_text(const char *one, const char *other)
{
	return one == other || (one && other && !strcmp(one, other));
}

static bool same_source(const struct policy_source *one, const struct policy_source *other)
{
	return !strcmp(one->schema, other->schema) && !strcmp(one->view, other->view) &&
		!strcmp(one->key, other->key) && same_text(one->subject, other->subject);
}

static const struct policy_field *field_of(const struct policy_release *release, const char *name)
{
	for (size_t i = 0; i < release->field_count; i++)
		if (!strcmp(release->fields[i]->name, name))
			return release->fields[i];
	return NULL;
}

/* The next release from `from` on that sends a field of this name; NULL when there is none. */
static const struct policy_release *next_with(
	const struct policy_service *service, const struct policy_release *from, const char *name)
{
	for (; from < service->releases + service->release_count; from++)
		if (field_of(from, name))
			return from;
	return NULL;
}

/* A release of `one` that sends the field before any of `other` does, or may. */
static const struct policy_release *find_earlier(
	const struct policy_service *one, const struct policy_service *other, const char *name)
{
	const struct policy_release *release, *match;
	for (release = one->releases; (release = next_with(one, release, name)); release++) {
		for (match = other->releases; (match = next_with(other, match, name)); match++) {
			enum order order = compare_moments(&match->at, &release->at);
			if (order == SAME || order == LATER)
				break;
		}
		if (!match)
			return release;
	}
	return NULL;
}

static bool always_sensitive(const struct policy_service *service, const char *name)
{
	for (const struct policy_release *release = service->releases; (release = next_with(service, release, name));
		release++)
		if (!release->sensitive)
			return false;
	return true;
}

/* A field that both send; the first releases that do are in the change. */
static void compare_field(struct telling *telling)
{
	struct policy_change *change = &telling->change;
	const char *name = change->field->name;
	const struct policy_release *was = change->release_before, *is = change->release_after;
	const struct policy_release *sooner = find_earlier(change->after, change->before, name);
	const struct policy_release *later = find_earlier(change->before, change->after, name);
	bool was_sensitive = always_sensitive(change->before, name),
	     is_sensitive = always_sensitive(change->after, name);

	if (!same_source(field_of(was, name)->source, field_of(is, name)->source))
		tell(telling, POLICY_ASPECT_SOURCE, POLICY_SEES_MORE);
	if (sooner || later) {
		change->release_after = sooner ? sooner : is;
		change->release_before = !sooner && later ? later : was;
		tell(telling, POLICY_ASPECT_DUE, sooner ? POLICY_SEES_MORE : POLICY_SEES_LESS);
	}
	if (was_sensitive != is_sensitive)
		tell(telling, POLICY_ASPECT_SENSITIVE, is_sensitive ? POLICY_SEES_LESS : POLICY_SEES_MORE);
}

/* Calls `visit` with each field of `service` once, the first release that sends it in *release. */
static void each_field(struct telling *telling, const struct policy_service *service,
	const struct policy_release **release, void (*visit)(struct telling *telling))
{
	for (size_t i = 0; i < service->release_count; i++) {
		*release = &service->releases[i];
		for (size_t j = 0; j < (*release)->field_count; j++) {
			telling->change.field = (*release)->fields[j];
			if (next_with(service, service->releases, telling->change.field->name) == *release)
				visit(telling);
			*release = &service->releases[i];
		}
	}
	telling->change.field = NULL;
	telling->change.release_before = telling->change.release_after = NULL;
}

static void visit_before(struct telling *telling)
{
	struct policy_change *change = &telling->change;
	change->release_after = next_with(change->after, change->after->releases, change->field->name);
	if (change->release_after)
		compare_field(telling);
	else
		tell(telling, POLICY_ASPECT_FIELD, POLICY_SEES_LESS);
}

static void visit_after(struct telling *telling)
{
	struct policy_change *change = &telling->change;
	change->release_before = next_with(change->before, change->before->releases, change->field->name);
	if (!change->release_before)
		tell(telling, POLICY_ASPECT_FIELD, POLICY_SEES_MORE);
}

static void compare_fields(struct telling *telling)
{
	each_field(telling, telling->change.before, &telling->change.release_before, visit_before);
	each_field(telling, telling->change.after, &telling->change.release_after, visit_after);
}

/* ---- services ---- */

static void compare_requires(struct telling *telling)
{
	const struct policy_field *before = telling->change.before->requires, *after = telling->change.after->requires;
	if (!before && !after)
		return;
	if (!before)
		tell(telling, POLICY_ASPECT_REQUIRES, POLICY_SEES_LESS);
	else if (!after || strcmp(before->name, after->name) || !same_source(before->source, after->source))
		tell(telling, POLICY_ASPECT_REQUIRES, POLICY_SEES_MORE);
}

static void compare_terms(struct telling *telling)
{
	const struct policy_service *before = telling->change.before, *after = telling->change.after;
	enum order end = compare_moments(&before->expires, &after->expires);
	if (end != SAME)
		tell(telling, POLICY_ASPECT_EXPIRES, effect_of_end(end));
	if (before->delete_within != after->delete_within)
		tell(telling, POLICY_ASPECT_DELETE_WITHIN,
			effect_of_period(before->delete_within, after->delete_within));
	if (before->max_duration != after->max_duration)
		tell(telling, POLICY_ASPECT_MAX_DURATION, effect_of_period(before->max_duration, after->max_duration));
	if (before->needs_booking != after->needs_booking)
		tell(telling, POLICY_ASPECT_BOOKING, after->needs_booking ? POLICY_SEES_LESS : POLICY_SEES_MORE);
	if (before->recipients != after->recipients)
		tell(telling, POLICY_ASPECT_RECIPIENTS, POLICY_SEES_MORE);
	if (before->legal_basis != after->legal_basis)
		tell(telling, POLICY_ASPECT_LEGAL_BASIS, effect_of_reason(before, after));
	if (strcmp(before->purpose, after->purpose))
		tell(telling, POLICY_ASPECT_PURPOSE, effect_of_reason(before, after));
}

void policy_diff_service(const struct policy_service *before, const struct policy_service *after,
	void (*told)(void *context, const struct policy_change *change), void *context)
{
	struct telling telling = { .tell = told, .context = context, .change = { .before = before, .after = after } };
	if (!before || !after) {
		tell(&telling, POLICY_ASPECT_SERVICE, before ? POLICY_SEES_LESS : POLICY_SEES_MORE);
		return;
	}
	compare_fields(&telling);
	compare_requires(&telling);
	compare_terms(&telling);
}

void policy_diff(const struct policy *before, const struct policy *after,
	void (*told)(void *context, const struct policy_change *change), void *context)
{
	for (size_t i = 0; i < policy_service_count(before); i++) {
		const struct policy_service *service = policy_service_at(before, i);
		policy_diff_service(service, policy_service(after, service->name), told, context);
	}
	for (size_t i = 0; i < policy_service_count(after); i++) {
		const struct policy_service *service = policy_service_at(after, i);
		if (!policy_service(before, service->name))
			policy_diff_service(NULL, service, told, context);
	}
}

static void look_for_more(void *context, const struct policy_change *change)
{
	bool *narrower = context;
	*narrower = *narrower && change->effect != POLICY_SEES_MORE;
}

bool policy_service_is_narrower(const struct policy_service *before, const struct policy_service *after)
{
	bool narrower = true;
	policy_diff_service(before, after, look_for_more, &narrower);
	return narrower;
}
