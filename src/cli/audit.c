#include "cli/audit.h"

#include "base/memory.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/words.h"
#include "pure/nearest.h"
#include "pure/time.h"

#include <needtoknow/methods.h>

#include <inttypes.h>
#include <string.h>

#define PAGE_MAX 1000
#define LIMIT_DEFAULT 100

const struct flag audit_list_flags[] = {
	{ "subject", "ID", "about this client", false },
	{ "recipient", "ID", "about this recipient", false },
	{ "booking", "ID", "about this booking", false },
	{ "disclosure", "ID", "about this disclosure", false },
	{ "service", "NAME", "about this service", false },
	{ "purpose", "TERM", "for this purpose, such as dpv:ServiceProvision", false },
	{ "actor", "ID", "done by this caller: a SPIFFE id, or `system`", false },
	{ "kinds", "A,B", "of these kinds, such as DELIVERED,REFUSED", false },
	{ "from", "TIME", "recorded at this time or later", false },
	{ "until", "TIME", "recorded before this time", false },
	{ "newest-first", NULL, "the last entry first", false },
	{ "limit", "N", "at most so many; 0: all [100]", false },
	{ "json", NULL, "print one JSON object a line", false },
	{ 0 },
};

/* What the filter of a ListEntriesRequest is kept in. */
struct query {
	Needtoknow__V1__ListEntriesRequest request;
	Needtoknow__V1__EntryFilter filter;
	Google__Protobuf__Timestamp from, until;
	int32_t limit;
	char token[1024]; /* of the next page */
};

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
		struct nearest nearest;
		nearest_init(&nearest, words.items[i]);
		for (unsigned known = 1; known < type->n_values; known++)
			nearest_try(&nearest, output_enum(type, type->values[known].value));
		fprintf(stderr, "needtoknow %s: --kinds: `%s` is not a kind of entry", invocation->command->name,
			words.items[i]);
		options_suggest(&nearest, "", stderr);
		putc('\n', stderr);
		code = EXIT_USAGE;
	}
	words_release(&words);
	return code;
}

static enum exit_code read_query(const struct invocation *invocation, struct query *query)
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
	Needtoknow__V1__EntryFilter *filter = &query->filter;
	int64_t from = TIME_NONE, until = TIME_NONE;

	needtoknow__v1__list_entries_request__init(&query->request);
	needtoknow__v1__entry_filter__init(filter);
	query->request.filter = filter;
	query->request.newest_first = flag_given(invocation, "newest-first");
	query->limit = LIMIT_DEFAULT;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (flag_given(invocation, texts[i].flag))
			*(char **)(void *)((uint8_t *)filter + texts[i].offset) = flag_text(invocation, texts[i].flag);
	}
	if (options_time(invocation, "from", &from, stderr) != EXIT_OK ||
		options_time(invocation, "until", &until, stderr) != EXIT_OK ||
		options_number(invocation, "limit", 0, INT32_MAX, &query->limit, stderr) != EXIT_OK)
		return EXIT_USAGE;
	if (from != TIME_NONE) {
		time_to_timestamp(from, &query->from);
		filter->recorded_from = &query->from;
	}
	if (until != TIME_NONE) {
		time_to_timestamp(until, &query->until);
		filter->recorded_until = &query->until;
	}
	return read_kinds(invocation, filter);
}

/* `booking/booking` of `spiffe://maison-claire.example/booking/booking`. */
static const char *short_actor(const char *actor)
{
	static const char scheme[] = "spiffe://";
	const char *path;

	if (strncmp(actor, scheme, sizeof scheme - 1) != 0)
		return actor;
	path = strchr(actor + sizeof scheme - 1, '/');
	return path != NULL ? path + 1 : actor;
}

/* Names of fields; of an entry that names none, why it is there. */
static void add_subject(struct table *table, const Needtoknow__V1__LedgerEntry *entry)
{
	char text[256] = "";
	size_t used = 0;

	if (entry->reason != NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED)
		used += (size_t)snprintf(
			text, sizeof text, "%s", output_enum(&needtoknow__v1__reason__descriptor, (int)entry->reason));
	for (size_t i = 0; i < entry->n_fields && used < sizeof text; i++)
		used += (size_t)snprintf(
			text + used, sizeof text - used, "%s%s", used == 0 ? "" : " ", entry->fields[i]);
	table_cell(table, text);
}

static void add_row(struct table *table, const Needtoknow__V1__Entry *entry)
{
	static const Needtoknow__V1__LedgerEntry pruned = NEEDTOKNOW__V1__LEDGER_ENTRY__INIT;
	const Needtoknow__V1__LedgerEntry *body = entry->entry != NULL ? entry->entry : &pruned;
	char time[OUTPUT_TIME_MAX];

	table_cellf(table, "%" PRIu64, entry->index);
	table_cell(table, output_time(body->recorded_at, time));
	table_cell(table,
		entry->entry != NULL ? output_enum(&needtoknow__v1__entry_kind__descriptor, (int)body->kind)
				     : "(pruned)");
	table_cell(table, short_actor(body->actor));
	table_cell(table, body->recipient_id);
	table_cell(table, body->service);
	table_cell(table, body->release);
	table_cell(table, body->disclosure_id);
	add_subject(table, body);
}

static enum exit_code print_page(const struct invocation *invocation, const Needtoknow__V1__ListEntriesResponse *page)
{
	static const char *const headings[] = { "INDEX", "RECORDED", "KIND", "ACTOR", "RECIPIENT", "SERVICE", "RELEASE",
		"DISCLOSURE", "WHY AND WHAT" };
	struct table *table;

	if (flag_given(invocation, "json")) {
		for (size_t i = 0; i < page->n_entries; i++) {
			if (output_json_line(output_json(&page->entries[i]->base)) != 0)
				return EXIT_FAILED;
		}
		return EXIT_OK;
	}
	table = table_new(headings, sizeof headings / sizeof headings[0]);
	for (size_t i = 0; i < page->n_entries; i++)
		add_row(table, page->entries[i]);
	if (table_rows(table) > 0)
		table_print(table, stdout);
	table_free(table);
	return output_flush() == 0 ? EXIT_OK : EXIT_FAILED;
}

static enum exit_code list_pages(
	const struct invocation *invocation, struct needtoknow_client *client, struct query *query)
{
	const Needtoknow__V1__ListEntriesResponse *page;
	struct needtoknow_status status;
	int32_t left = query->limit;
	enum exit_code code;

	do {
		query->request.page_token = query->token;
		query->request.page_size = query->limit != 0 && left < PAGE_MAX ? left : PAGE_MAX;
		if (needtoknow_list_entries(client, &query->request, &page, &status) != 0)
			return failure_report(invocation, &status);
		code = print_page(invocation, page);
		left -= (int32_t)page->n_entries;
		snprintf(query->token, sizeof query->token, "%s", page->next_page_token);
		if (query->token[0] != '\0' && query->limit != 0 && left <= 0) {
			fprintf(stderr, "There are more: --limit 0 lists all.\n");
			break;
		}
	} while (code == EXIT_OK && query->token[0] != '\0');
	return code;
}

enum exit_code audit_list_run(const struct invocation *invocation)
{
	struct needtoknow_client *client = NULL;
	struct query query = { 0 };
	enum exit_code code = read_query(invocation, &query);

	if (code == EXIT_OK)
		client = failure_connect(invocation, &code);
	if (client != NULL)
		code = list_pages(invocation, client, &query);
	needtoknow_client_free(client);
	mem_free(query.filter.kinds);
	return code;
}
