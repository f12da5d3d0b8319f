#include "cli/audit_list.h"

#include "cli/audit_failure.h"
#include "cli/entry_query.h"
#include "cli/entry_stream.h"
#include "cli/failure.h"
#include "cli/options.h"

#include <needtoknow/methods.h>

#include <string.h>

#define PAGE_MAX 1000
#define LIMIT_DEFAULT 100

const struct flag audit_list_flags[] = {
	ENTRY_QUERY_FLAGS,
	{ "newest-first", NULL, "the last entry first", false },
	{ "from-index", "INDEX", "from this entry of the ledger on", false },
	{ "follow", NULL, "stay, and print new entries as they are recorded; Ctrl-C ends it", false },
	{ "limit", "N", "at most so many; 0: all [100; with --follow 0]", false },
	FORMAT_FLAG,
	{ "json", NULL, "the same as --format json", false },
	{ 0 },
};

/* A listing, as its flags say. */
struct listing {
	struct entry_query query;
	enum format format;
	bool newest_first, follow, streams;
	uint64_t from_index;
	int32_t limit;
};

static enum exit_code contradict(const struct invocation *invocation, const char *flag, const char *other)
{
	fprintf(stderr, "needtoknow %s: --%s and --%s contradict one another\n", invocation->command->name, flag,
		other);
	return EXIT_USAGE;
}

static enum exit_code read_format(const struct invocation *invocation, enum format *out)
{
	enum exit_code code = format_read(invocation, FORMAT_CSV, out);

	if (code != EXIT_OK || !flag_given(invocation, "json"))
		return code;
	if (flag_given(invocation, "format") && *out != FORMAT_JSON)
		return contradict(invocation, "json", "format");
	*out = FORMAT_JSON;
	return EXIT_OK;
}

static enum exit_code read_listing(const struct invocation *invocation, struct listing *out)
{
	enum exit_code code = read_format(invocation, &out->format);

	out->newest_first = flag_given(invocation, "newest-first");
	out->follow = flag_given(invocation, "follow");
	out->streams = out->follow || flag_given(invocation, "from-index");
	out->limit = out->follow ? 0 : LIMIT_DEFAULT;
	if (code == EXIT_OK && out->newest_first && out->streams)
		code = contradict(invocation, "newest-first", out->follow ? "follow" : "from-index");
	if (code == EXIT_OK)
		code = options_index(invocation, "from-index", &out->from_index, stderr);
	if (code == EXIT_OK)
		code = options_number(invocation, "limit", 0, INT32_MAX, &out->limit, stderr);
	return code == EXIT_OK ? entry_query_read(invocation, &out->query) : code;
}

static enum exit_code list_pages(const struct invocation *invocation, struct needtoknow_client *client,
	struct listing *listing, struct entry_printer *printer)
{
	Needtoknow__V1__ListEntriesRequest request = NEEDTOKNOW__V1__LIST_ENTRIES_REQUEST__INIT;
	const Needtoknow__V1__ListEntriesResponse *page;
	struct needtoknow_status status;
	int32_t left = listing->limit;
	char token[1024] = "";

	request.filter = &listing->query.filter;
	request.newest_first = listing->newest_first;
	request.page_token = token;
	do {
		request.page_size = listing->limit != 0 && left < PAGE_MAX ? left : PAGE_MAX;
		if (needtoknow_list_entries(client, &request, &page, &status) != 0)
			return audit_failure(invocation, &status);
		if (entry_print(printer, page->entries, page->n_entries) != 0)
			return EXIT_FAILED;
		left -= (int32_t)page->n_entries;
		snprintf(token, sizeof token, "%s", page->next_page_token);
		if (token[0] != '\0' && listing->limit != 0 && left <= 0) {
			fprintf(stderr, "There are more: --limit 0 lists all.\n");
			break;
		}
	} while (token[0] != '\0');
	return EXIT_OK;
}

static enum exit_code list_stream(const struct invocation *invocation, struct needtoknow_client *client,
	struct listing *listing, struct entry_printer *printer)
{
	struct entry_stream stream = { .printer = printer, .limit = (uint64_t)listing->limit };

	needtoknow__v1__stream_entries_request__init(&stream.request);
	stream.request.filter = &listing->query.filter;
	stream.request.from_index = listing->from_index;
	stream.request.follow = listing->follow;
	return entry_stream_run(invocation, client, &stream);
}

enum exit_code audit_list_run(const struct invocation *invocation)
{
	struct needtoknow_client *client = NULL;
	struct listing listing = { 0 };
	struct entry_printer printer;
	enum exit_code code = read_listing(invocation, &listing);

	if (code == EXIT_OK)
		client = failure_connect(invocation, &code);
	if (client != NULL) {
		entry_printer_init(&printer, listing.format);
		code = (listing.streams ? list_stream : list_pages)(invocation, client, &listing, &printer);
		entry_printer_release(&printer);
	}
	needtoknow_client_free(client);
	entry_query_release(&listing.query);
	return code;
}
