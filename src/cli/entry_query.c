#include "cli/entry_query.h"

#include "base/memory.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/words.h"
#include "pure/nearest.h"
#include "pure/time.h"

#include <string.h>

static void unknown_kind(const struct invocation *invocation, const char *word)
{
	const ProtobufCEnumDescriptor *type = &needtoknow__v1__entry_kind__descriptor;
	struct nearest nearest;

	nearest_init(&nearest, word);
	for (unsigned known = 1; known < type->n_values; known++)
		nearest_try(&nearest, output_enum(type, type->values[known].value));
	fprintf(stderr, "needtoknow %s: --kinds: `%s` is not a kind of entry", invocation->command->name, word);
	options_suggest(&nearest, "", stderr);
	putc('\n', stderr);
}

static enum exit_code read_kinds(const struct invocation *invocation, Needtoknow__V1__EntryFilter *filter)
{
	const ProtobufCEnumDescriptor *type = &needtoknow__v1__entry_kind__descriptor;
	struct words words = { 0 };
	enum exit_code code = EXIT_OK;

	if (!flag_given(invocation, "kinds"))
		return EXIT_OK;
	words_split(&words, flag_value(invocation, "kinds"));
	filter->kinds = mem_calloc(words.count + 1, sizeof *filter->kinds);
	for (size_t i = 0; i < words.count && code == EXIT_OK; i++) {
		int kind;
		if (output_enum_parse(type, words.items[i], strlen(words.items[i]), &kind) == 0 && kind != 0) {
			filter->kinds[filter->n_kinds++] = (Needtoknow__V1__EntryKind)kind;
			continue;
		}
		unknown_kind(invocation, words.items[i]);
		code = EXIT_USAGE;
	}
	words_release(&words);
	return code;
}

static enum exit_code read_time(const struct invocation *invocation, const char *flag,
	Google__Protobuf__Timestamp *storage, Google__Protobuf__Timestamp **out)
{
	int64_t time = TIME_NONE;

	if (options_time(invocation, flag, &time, stderr) != EXIT_OK)
		return EXIT_USAGE;
	if (time == TIME_NONE)
		return EXIT_OK;
	time_to_timestamp(time, storage);
	*out = storage;
	return EXIT_OK;
}

enum exit_code entry_query_read(const struct invocation *invocation, struct entry_query *out)
{
	static const struct {
		const char *flag;
		size_t offset;
	} texts[] = {
		{ "subject", offsetof(Needtoknow__V1__EntryFilter, subject_id) },
		{ "recipient", offsetof(Needtoknow__V1__EntryFilter, recipient_id) },
		{ "booking", offsetof(Needtoknow__V1__EntryFilter, booking_id) },
		{ "disclosure", offsetof(Needtoknow__V1__EntryFilter, disclosure_id) },
		{ "service", offsetof(Needtoknow__V1__EntryFilter, service) },
		{ "purpose", offsetof(Needtoknow__V1__EntryFilter, purpose) },
		{ "actor", offsetof(Needtoknow__V1__EntryFilter, actor) },
	};
	Needtoknow__V1__EntryFilter *filter = &out->filter;

	needtoknow__v1__entry_filter__init(filter);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (flag_given(invocation, texts[i].flag))
			*(char **)(void *)((uint8_t *)filter + texts[i].offset) = flag_text(invocation, texts[i].flag);
	}
	if (read_time(invocation, "from", &out->from, &filter->recorded_from) != EXIT_OK ||
		read_time(invocation, "until", &out->until, &filter->recorded_until) != EXIT_OK)
		return EXIT_USAGE;
	return read_kinds(invocation, filter);
}

void entry_query_release(struct entry_query *query)
{
	mem_free(query->filter.kinds);
	query->filter.kinds = NULL;
}
