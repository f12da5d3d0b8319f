#include "pure/policy_model.h"

#include "base/memory.h"
#include "pure/duration.h"
#include "pure/identifier.h"
#include "pure/nearest.h"
#include "pure/purpose.h"
#include "pure/time.h"

#include <string.h>

/* A tree of YAML -> struct policy: one table of keys a kind of map, their readers above it. */

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define SQL_NAME_MAX 63 /* NAMEDATALEN - 1: PostgreSQL cuts longer names */
#define SQL_NAME_ALLOWED "letters, digits and _, not starting with a digit, at most 63 bytes"
#define FIELD_ALLOWED "source.column, such as client.given_name"
#define MOMENT_ALLOWED                                                                                                 \
	"booked, start or end, with + or - and a duration if need be, such as start-24h (units s, m, h, d, y)"

static struct policy *policy_of(struct yaml_reader *reader)
{
	return ((struct policy_loading *)reader->context)->policy;
}

static struct policy_service *service_of(struct yaml_reader *reader)
{
	return ((struct policy_loading *)reader->context)->service;
}

int policy_read_duration(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	int64_t duration;
	if (value->kind != YAML_KIND_TEXT || duration_parse(value->text, &duration) != 0 || duration == 0)
		return yaml_refuse_text(reader, value, DURATION_ALLOWED ", more than 0");
	*(int64_t *)member = duration;
	return 0;
}

static int read_moment(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	static const char *const anchors[] = {
		[MOMENT_BOOKED] = "booked",
		[MOMENT_START] = "start",
		[MOMENT_END] = "end",
	};
	size_t anchor;
	int64_t offset;
	if (value->kind != YAML_KIND_TEXT ||
		duration_parse_anchored(value->text, anchors, COUNT_OF(anchors), &anchor, &offset) != 0)
		return yaml_refuse_text(reader, value, MOMENT_ALLOWED);
	*(struct moment *)member = (struct moment){ .anchor = (enum moment_anchor)anchor, .offset = offset };
	return 0;
}

static bool sql_name_valid(const char *name, size_t length)
{
	if (length == 0 || length > SQL_NAME_MAX || (name[0] >= '0' && name[0] <= '9'))
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
		if (!letter && (c < '0' || c > '9') && c != '_')
			return false;
	}
	return true;
}

/* `client.given_name`; `share.client` is of the same form. */
static bool split_at_dot(
	struct yaml_reader *reader, const struct yaml_value *value, const char **before, const char **after)
{
	const char *dot = value->kind == YAML_KIND_TEXT ? strchr(value->text, '.') : NULL;
	if (dot == NULL || !sql_name_valid(value->text, (size_t)(dot - value->text)) ||
		!sql_name_valid(dot + 1, strlen(dot + 1)))
		return false;
	size_t length = (size_t)(dot - value->text);
	char *copy = yaml_alloc(reader, length + 1, 1);
	memcpy(copy, value->text, length);
	*before = copy;
	*after = dot + 1;
	return true;
}

/* sources */

static int read_sql_name(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	if (value->kind != YAML_KIND_TEXT || !sql_name_valid(value->text, strlen(value->text)))
		return yaml_refuse_text(reader, value, SQL_NAME_ALLOWED);
	*(const char **)member = value->text;
	return 0;
}

static int read_view(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy_source *source = member;
	if (!split_at_dot(reader, value, &source->schema, &source->view))
		return yaml_refuse_text(reader, value, "schema.view, such as share.client");
	return 0;
}

static const struct yaml_key source_keys[] = {
	{ "view", read_view, 0, true, "schema.view, such as share.client" },
	{ "key", read_sql_name, offsetof(struct policy_source, key), true, "a column of the view" },
	{ "subject", read_sql_name, offsetof(struct policy_source, subject), false, "a column of the view" },
};
static const struct yaml_map source_map = { "a source", COUNT_OF(source_keys), source_keys };

static int read_sources(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy *policy = member;
	if (yaml_expect_map(reader, value, "sources by name") != 0)
		return -1;
	policy->sources = yaml_alloc(reader, value->count, sizeof *policy->sources);
	for (const struct yaml_value *child = value->first; child != NULL; child = child->next) {
		struct policy_source *source = &policy->sources[policy->source_count];
		if (!sql_name_valid(child->key, strlen(child->key)))
			return yaml_refuse(reader, child, "`%.80s` is no name for a source; allowed: " SQL_NAME_ALLOWED,
				child->key);
		source->name = child->key;
		if (yaml_read_map(reader, child, &source_map, source) != 0)
			return -1;
		if (source->subject != NULL && policy->bookings != NULL)
			return yaml_refuse(reader, yaml_tree_get(child, "subject"),
				"only the bookings' source has a `subject`, and `%s` has one already",
				policy->bookings->name);
		if (source->subject != NULL)
			policy->bookings = source;
		name_table_add(&policy->source_names, source->name, source);
		policy->source_count++;
	}
	return 0;
}

static int refuse_unknown_source(struct yaml_reader *reader, const struct yaml_value *value, const char *name)
{
	const struct policy *policy = policy_of(reader);
	struct nearest nearest;
	nearest_init(&nearest, name);
	for (size_t i = 0; i < policy->source_count; i++)
		nearest_try(&nearest, policy->sources[i].name);
	bool near = nearest.best != NULL;
	return yaml_refuse(reader, value,
		"`%.80s`: there is no source `%.80s`%s%s%s; allowed: those listed under `sources`", value->text, name,
		near ? " (did you mean `" : "", near ? nearest.best : "", near ? "`?)" : "");
}

static int read_subjects(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy *policy = member;
	if (value->kind != YAML_KIND_TEXT || *value->text == '\0')
		return yaml_refuse_text(reader, value, "the source that says who exists");
	const struct policy_source *source = name_table_find(&policy->source_names, value->text);
	if (source == NULL)
		return refuse_unknown_source(reader, value, value->text);
	if (source->subject != NULL)
		return yaml_refuse(reader, value,
			"`%s` has a row a booking, not a subject, since it has a `subject`; allowed: a source without",
			source->name);
	policy->subjects = source;
	return 0;
}

/* fields */

int policy_read_field_name(struct yaml_reader *reader, const struct yaml_value *value, struct policy_field *out)
{
	const char *source_name, *column;
	if (!split_at_dot(reader, value, &source_name, &column))
		return yaml_refuse_text(reader, value, FIELD_ALLOWED);
	const struct policy_source *source = name_table_find(&policy_of(reader)->source_names, source_name);
	if (source == NULL)
		return refuse_unknown_source(reader, value, source_name);
	*out = (struct policy_field){ .name = value->text, .source = source, .column = column };
	return 0;
}

/* The one struct that stands for this name. */
static const struct policy_field *intern(struct yaml_reader *reader, const struct policy_field *field)
{
	struct policy *policy = policy_of(reader);
	const struct policy_field *known = name_table_find(&policy->field_names, field->name);
	if (known != NULL)
		return known;
	struct policy_field *copy = yaml_alloc(reader, 1, sizeof *copy);
	*copy = *field;
	name_table_add(&policy->field_names, copy->name, copy);
	if (policy->field_count == policy->field_capacity) {
		policy->field_capacity = policy->field_capacity > 0 ? policy->field_capacity * 2 : 64;
		policy->fields =
			mem_realloc(policy->fields, policy->field_capacity * sizeof(const struct policy_field *));
	}
	policy->fields[policy->field_count++] = copy;
	return copy;
}

/* A field that a service reads. */
static int read_field(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy_field field;
	if (policy_read_field_name(reader, value, &field) != 0)
		return -1;
	if (!service_of(reader)->needs_booking && field.source->subject != NULL)
		return yaml_refuse(reader, value,
			"`%.80s` is read by the booking, but the service says `booking: none`", field.name);
	*(const struct policy_field **)member = intern(reader, &field);
	return 0;
}

static int read_fields(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy_release *release = member;
	if (yaml_expect_list(reader, value, FIELD_ALLOWED) != 0)
		return -1;
	if (value->count > POLICY_FIELDS_MAX)
		return yaml_refuse(
			reader, value, "%zu fields in a release; allowed: at most %d", value->count, POLICY_FIELDS_MAX);
	const struct policy_field **fields = yaml_alloc(reader, value->count, sizeof *fields);
	for (const struct yaml_value *item = value->first; item != NULL; item = item->next) {
		if (read_field(reader, item, &fields[release->field_count]) != 0)
			return -1;
		for (size_t i = 0; i < release->field_count; i++) {
			if (fields[i] == fields[release->field_count])
				return yaml_refuse(reader, item, "`%.80s` is given twice in one release", item->text);
		}
		release->field_count++;
	}
	release->fields = fields;
	return 0;
}

/* services */

static int read_name(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	if (value->kind != YAML_KIND_TEXT || !identifier_valid(value->text, strlen(value->text)))
		return yaml_refuse_text(reader, value, "a name of 1 to 128 bytes");
	*(const char **)member = value->text;
	return 0;
}

static const struct yaml_key release_keys[] = {
	{ "name", read_name, offsetof(struct policy_release, name), true, "a name of 1 to 128 bytes" },
	{ "at", read_moment, offsetof(struct policy_release, at), true, MOMENT_ALLOWED },
	{ "fields", read_fields, 0, true, "a list of " FIELD_ALLOWED },
	{ "sensitive", yaml_read_bool, offsetof(struct policy_release, sensitive), false, "true or false" },
};
static const struct yaml_map release_map = { "a release", COUNT_OF(release_keys), release_keys };

static int read_releases(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy_service *service = member;
	if (yaml_expect_list(reader, value, "releases") != 0)
		return -1;
	if (value->count > POLICY_RELEASES_MAX)
		return yaml_refuse(reader, value, "%zu releases in a service; allowed: at most %d", value->count,
			POLICY_RELEASES_MAX);
	struct policy_release *releases = yaml_alloc(reader, value->count, sizeof *releases);
	for (const struct yaml_value *item = value->first; item != NULL; item = item->next) {
		struct policy_release *release = &releases[service->release_count];
		if (yaml_read_map(reader, item, &release_map, release) != 0)
			return -1;
		for (size_t i = 0; i < service->release_count; i++) {
			if (strcmp(releases[i].name, release->name) == 0)
				return yaml_refuse(reader, yaml_tree_get(item, "name"),
					"two releases of one service are named `%.80s`", release->name);
		}
		service->release_count++;
	}
	service->releases = releases;
	return 0;
}

static int read_purpose(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	const char *allowed = "a purpose of the W3C Data Privacy Vocabulary, such as dpv:ServiceProvision";
	if (value->kind != YAML_KIND_TEXT || *value->text == '\0')
		return yaml_refuse_text(reader, value, allowed);
	if (!purpose_known(value->text))
		return yaml_refuse_name(reader, value, purpose_nearest(value->text), allowed);
	*(const char **)member = value->text;
	return 0;
}

#define BASIS_ALLOWED "contract, consent, legitimate-interest, legal-obligation, vital-interest or public-task"

static int read_basis(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct yaml_word words[LEGAL_BASIS_PUBLIC_TASK + 1];
	for (size_t i = 0; i < COUNT_OF(words); i++)
		words[i] = (struct yaml_word){ .name = legal_basis_name((enum legal_basis)i), .value = (int)i };
	int basis;
	if (yaml_read_word(reader, value, words, COUNT_OF(words), &basis) != 0)
		return -1;
	*(enum legal_basis *)member = (enum legal_basis)basis;
	return 0;
}

static int read_recipients(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	static const struct yaml_word words[] = {
		{ "provider", RECIPIENT_KIND_PROVIDER },
		{ "staff", RECIPIENT_KIND_STAFF },
	};
	int kind;
	if (yaml_read_word(reader, value, words, COUNT_OF(words), &kind) != 0)
		return -1;
	*(enum recipient_kind *)member = (enum recipient_kind)kind;
	return 0;
}

static int read_booking(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	static const struct yaml_word words[] = { { "none", 0 } };
	int needs;
	if (yaml_read_word(reader, value, words, COUNT_OF(words), &needs) != 0)
		return -1;
	*(bool *)member = needs != 0;
	return 0;
}

/* `booking` stands before what may name a field of the booking source. */
static const struct yaml_key service_keys[] = {
	{ "title", yaml_read_text, offsetof(struct policy_service, title), false, "a text" },
	{ "purpose", read_purpose, offsetof(struct policy_service, purpose), true,
		"a W3C DPV purpose, such as dpv:ServiceProvision" },
	{ "legal_basis", read_basis, offsetof(struct policy_service, legal_basis), true, BASIS_ALLOWED },
	{ "booking", read_booking, offsetof(struct policy_service, needs_booking), false, "none" },
	{ "requires", read_field, offsetof(struct policy_service, requires), false,
		"source.column of a boolean column" },
	{ "recipients", read_recipients, offsetof(struct policy_service, recipients), true, "provider or staff" },
	{ "max_duration", policy_read_duration, offsetof(struct policy_service, max_duration), false,
		DURATION_ALLOWED },
	{ "releases", read_releases, 0, true, "a list of releases" },
	{ "expires", read_moment, offsetof(struct policy_service, expires), true, MOMENT_ALLOWED },
	{ "delete_within", policy_read_duration, offsetof(struct policy_service, delete_within), true,
		DURATION_ALLOWED },
};
static const struct yaml_map service_map = { "a service", COUNT_OF(service_keys), service_keys };

/* Whatever the window: due at the expiry or after it. The end is after the start; the booking may be before or after
 * either. */
static bool never_due(const struct moment *due, const struct moment *expires)
{
	bool later_anchor = due->anchor == MOMENT_END && expires->anchor == MOMENT_START;
	return (due->anchor == expires->anchor || later_anchor) && due->offset >= expires->offset;
}

/* What two keys say together. */
static int check_service(
	struct yaml_reader *reader, const struct yaml_value *value, const struct policy_service *service)
{
	if (service->legal_basis == LEGAL_BASIS_CONSENT && service->requires == NULL)
		return yaml_refuse(reader, yaml_tree_get(value, "legal_basis"),
			"consent must be checked, but the service has no `requires`; allowed: source.column of a "
			"boolean column");
	if (service->needs_booking && policy_of(reader)->bookings == NULL)
		return yaml_refuse(reader, value,
			"`%.80s` needs a booking, but no source has a `subject`; allowed: `booking: none`",
			service->name);
	const struct yaml_value *item = yaml_tree_get(value, "releases")->first;
	for (size_t i = 0; i < service->release_count; i++, item = item->next) {
		if (never_due(&service->releases[i].at, &service->expires))
			return yaml_refuse(reader, yaml_tree_get(item, "at"),
				"release `%.80s` would never be sent: at `%.80s` the service has expired (%.80s)",
				service->releases[i].name, yaml_tree_get(item, "at")->text,
				yaml_tree_get(value, "expires")->text);
	}
	return 0;
}

static int read_services(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy *policy = member;
	struct policy_loading *loading = reader->context;
	if (yaml_expect_map(reader, value, "services by name") != 0)
		return -1;
	policy->services = yaml_alloc(reader, value->count, sizeof *policy->services);
	for (const struct yaml_value *child = value->first; child != NULL; child = child->next) {
		struct policy_service *service = &policy->services[policy->service_count];
		*service =
			(struct policy_service){ .name = child->key, .needs_booking = true, .max_duration = INT64_MAX };
		loading->service = service;
		if (!identifier_valid(child->key, strlen(child->key)))
			return yaml_refuse(
				reader, child, "`%.80s` is no name for a service; allowed: 1 to 128 bytes", child->key);
		if (yaml_read_map(reader, child, &service_map, service) != 0 ||
			check_service(reader, child, service) != 0)
			return -1;
		name_table_add(&policy->service_names, service->name, service);
		policy->service_count++;
	}
	return 0;
}

/* controller, and the file */

static int read_measures(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	struct policy *policy = member;
	if (yaml_expect_list(reader, value, "texts") != 0)
		return -1;
	policy->security_measures = yaml_alloc(reader, value->count, sizeof *policy->security_measures);
	for (const struct yaml_value *item = value->first; item != NULL; item = item->next) {
		if (yaml_read_text(reader, item, &policy->security_measures[policy->security_measure_count]) != 0)
			return -1;
		policy->security_measure_count++;
	}
	return 0;
}

static const struct yaml_key controller_keys[] = {
	{ "name", yaml_read_text, offsetof(struct policy, controller_name), true, "a text" },
	{ "data_protection_officer", yaml_read_text, offsetof(struct policy, data_protection_officer), true,
		"how to reach them" },
	{ "security_measures", read_measures, 0, true, "a list of texts (GDPR art. 30(1)(g))" },
};
static const struct yaml_map controller_map = { "the controller", COUNT_OF(controller_keys), controller_keys };

static int read_controller(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	return yaml_read_map(reader, value, &controller_map, member);
}

static int read_version(struct yaml_reader *reader, const struct yaml_value *value, void *member)
{
	(void)member;
	if (value->kind != YAML_KIND_TEXT || !value->plain || strcmp(value->text, "1") != 0)
		return yaml_refuse_text(reader, value, "1, without quotes");
	return 0;
}

/* `sources` stands before what names them. */
static const struct yaml_key file_keys[] = {
	{ "version", read_version, 0, true, "1" },
	{ "controller", read_controller, 0, true, "name, data_protection_officer, security_measures" },
	{ "sources", read_sources, 0, true, "sources by name" },
	{ "subjects", read_subjects, 0, true, "the source that says who exists" },
	{ "services", read_services, 0, true, "services by name" },
	{ "retention", policy_read_retention, 0, true,
		"disclosures, ledger_bodies, subject_key_after_erasure, backups, columns" },
	{ "limits", policy_read_limits, 0, true, "acknowledge_within" },
};
static const struct yaml_map file_map = { "a policy", COUNT_OF(file_keys), file_keys };

int policy_load(struct yaml_reader *reader, const struct yaml_value *root, struct policy *policy)
{
	struct policy_loading loading = { .policy = policy };
	reader->context = &loading;
	int result = yaml_read_map(reader, root, &file_map, policy);
	reader->context = NULL;
	return result;
}
