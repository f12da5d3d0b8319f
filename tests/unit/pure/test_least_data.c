/*
 * P2 as a property: for random policies and situations the columns in the SELECTs of what is due are those that the
 * policy grants at that moment, never more; and of a policy nothing but quoted names gets into SQL.
 */
#include "base/buffer.h"
#include "pure/policy.h"
#include "pure/source_select.h"
#include "support/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICIES 400
#define SITUATIONS 25
#define SOURCES 3
#define COLUMNS 8 /* of a source */
#define RELEASES_MAX 4
#define HOUR INT64_C(3600000000)

static unsigned random_state = 20261123;

static unsigned pick(unsigned below)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % below;
}

/* What was written into the policy, told in numbers: the property is checked against this alone. */
struct model {
	struct model_release {
		int anchor, hours; /* 0 booked, 1 start, 2 end */
		bool fields[SOURCES][COLUMNS];
	} releases[RELEASES_MAX];
	size_t count;
	int expires_anchor, expires_hours;
};

static const char *const anchors[] = { "booked", "start", "end" };
/* Names that would do harm if they were not quoted. */
static const char *const columns[COLUMNS] = { "given_name", "select", "drop", "OR", "prénom", "u", "key", "ord" };
static const char *const sources[SOURCES] = { "client", "booking", "pets" };

static void append(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(char *text, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text + length, 16384 - length, format, arguments);
	va_end(arguments);
}

static void write_moment(char *text, int anchor, int hours)
{
	append(text, "%s", anchors[anchor]);
	if (hours != 0)
		append(text, "%+dh", hours);
}

static void make_release(struct model_release *release)
{
	memset(release, 0, sizeof *release);
	release->anchor = (int)pick(3);
	release->hours = release->anchor == 0 ? (int)pick(30) : (int)pick(60) - 30;
	release->fields[pick(SOURCES)][pick(COLUMNS)] = true; /* one at least */
	for (unsigned i = pick(12); i > 0; i--)
		release->fields[pick(SOURCES)][pick(COLUMNS)] = true;
}

static void make_policy(struct model *model, char *text)
{
	model->count = 1 + pick(RELEASES_MAX);
	model->expires_anchor = 2;
	model->expires_hours = 30 + (int)pick(48); /* none that would never be sent: such a policy is refused */
	*text = '\0';
	append(text,
		"version: 1\n"
		"controller: { name: N, data_protection_officer: a@b.example, security_measures: [none] }\n"
		"subjects: client\n"
		"sources:\n"
		"  client: { view: share.client, key: subject_id }\n"
		"  booking: { view: share.booking, key: booking_id, subject: subject_id }\n"
		"  pets: { view: share.pets, key: subject_id }\n"
		"services:\n"
		"  s:\n"
		"    purpose: dpv:ServiceProvision\n"
		"    legal_basis: contract\n"
		"    recipients: provider\n"
		"    releases:\n");
	for (size_t i = 0; i < model->count; i++) {
		struct model_release *release = &model->releases[i];
		bool first = true;
		make_release(release);
		append(text, "      - { name: r%zu, at: ", i);
		write_moment(text, release->anchor, release->hours);
		append(text, ", fields: [");
		for (size_t source = 0; source < SOURCES; source++) {
			for (size_t column = 0; column < COLUMNS; column++) {
				if (!release->fields[source][column])
					continue;
				append(text, "%s%s.%s", first ? "" : ", ", sources[source], columns[column]);
				first = false;
			}
		}
		append(text, "] }\n");
	}
	append(text, "    expires: ");
	write_moment(text, model->expires_anchor, model->expires_hours);
	append(text,
		"\n    delete_within: 24h\n"
		"retention: { disclosures: 1y, ledger_bodies: { keep: 1y }, subject_key_after_erasure: { keep: 0d }, "
		"backups: 35d }\n"
		"limits: { acknowledge_within: 30s }\n");
}

struct situation {
	int64_t at[3]; /* booked, start, end */
	int64_t now;
};

static void make_situation(struct situation *situation)
{
	situation->at[0] = (int64_t)pick(200) * HOUR;
	situation->at[1] = situation->at[0] + ((int64_t)pick(100) - 10) * HOUR;
	situation->at[2] = situation->at[1] + (1 + (int64_t)pick(40)) * HOUR;
	situation->now =
		(int64_t)pick(500) * HOUR + (int64_t)pick(3) - 1; /* at a boundary, or a microsecond beside it */
}

/* The columns in the SELECT's list, found by reading the SQL; whatever is not a quoted name is left in *skeleton. */
static void read_sql(const char *sql, bool found[COLUMNS], char *skeleton, size_t size)
{
	size_t used = 0;
	memset(found, 0, COLUMNS * sizeof *found);
	const char *from = strstr(sql, " FROM \"");
	assert_non_null(from);
	for (const char *at = sql; *at != '\0'; at++) {
		assert_true(used + 2 < size);
		skeleton[used++] = *at;
		if (*at != '"')
			continue;
		const char *end = strchr(at + 1, '"');
		assert_non_null(end);
		for (size_t i = 0; i < COLUMNS; i++)
			if (at < from && strlen(columns[i]) == (size_t)(end - at - 1) &&
				strncmp(columns[i], at + 1, (size_t)(end - at - 1)) == 0)
				found[i] = true;
		at = end;
	}
	skeleton[used] = '\0';
}

/* The statement with every name gone, for so many columns. */
static void expect_skeleton(const char *skeleton, size_t count, bool has_subject)
{
	char expected[4096] = "";
	append(expected,
		"SELECT u.ord, v.* FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(key, subject, ord) "
		"CROSS JOIN LATERAL (SELECT ");
	for (size_t i = 0; i < count; i++)
		append(expected, "%sv.\"::text", i > 0 ? ", " : "");
	append(expected, " FROM \".\" AS v WHERE v.\" = u.key::text");
	if (has_subject)
		append(expected, " AND v.\" = u.subject::text");
	append(expected, " OFFSET 0) AS v");
	assert_string_equal(skeleton, expected);
}

/* Adds the columns that a release's SELECTs read, source by source, as the rulebook asks for them. */
static void add_selected(const struct policy *policy, const struct policy_release *release, bool out[SOURCES][COLUMNS])
{
	for (size_t i = 0; i < policy_source_count(policy); i++) {
		const struct policy_source *source = policy_source_at(policy, i);
		const struct policy_field *fields[POLICY_FIELDS_MAX];
		size_t count = 0;
		bool found[COLUMNS];
		char skeleton[4096];
		struct buffer sql;
		for (size_t j = 0; j < release->field_count; j++)
			if (release->fields[j]->source == source)
				fields[count++] = release->fields[j];
		if (count == 0)
			continue;
		buffer_init(&sql, 65536);
		assert_int_equal(source_select(source, KEY_TYPE_TEXT, KEY_TYPE_TEXT, fields, count, &sql), 0);
		read_sql((const char *)sql.data, found, skeleton, sizeof skeleton);
		expect_skeleton(skeleton, count, source->subject != NULL);
		buffer_release(&sql);
		for (size_t column = 0; column < COLUMNS; column++)
			out[i][column] |= found[column];
	}
}

static void check_situation(const struct policy *policy, const struct model *model, const struct situation *situation)
{
	bool granted[SOURCES][COLUMNS] = { { false } }, selected[SOURCES][COLUMNS] = { { false } };
	const struct policy_service *service = policy_service(policy, "s");
	int64_t booked = situation->at[0], now = situation->now;

	/* The model: by arithmetic on what was written. */
	bool over = now >= situation->at[model->expires_anchor] + model->expires_hours * HOUR;
	for (size_t i = 0; i < model->count && !over; i++) {
		const struct model_release *release = &model->releases[i];
		int64_t due = situation->at[release->anchor] + release->hours * HOUR;
		for (size_t k = 0; k < SOURCES * COLUMNS && now >= due && now >= booked; k++)
			granted[k / COLUMNS][k % COLUMNS] |= release->fields[k / COLUMNS][k % COLUMNS];
	}
	/* The program: its moments, its statements. */
	bool ended = now >= moment_at(&service->expires, booked, situation->at[1], situation->at[2]);
	for (size_t i = 0; i < service->release_count && !ended; i++) {
		int64_t due = moment_at(&service->releases[i].at, booked, situation->at[1], situation->at[2]);
		if (now >= due && now >= booked)
			add_selected(policy, &service->releases[i], selected);
	}
	assert_memory_equal(selected, granted, sizeof granted);
}

static void test_the_select_has_what_is_granted_and_never_more(void **state)
{
	static char text[16384];
	struct policy_error error;
	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct model model;
		make_policy(&model, text);
		struct policy *policy = policy_parse(text, strlen(text), &error);
		if (policy == NULL)
			fail_msg("%d:%d: %s\n%s", error.line, error.column, error.message, text);
		for (int j = 0; j < SITUATIONS; j++) {
			struct situation situation;
			make_situation(&situation);
			check_situation(policy, &model, &situation);
		}
		policy_free(policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_select_has_what_is_granted_and_never_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
