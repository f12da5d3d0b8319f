#include "base/memory.h"
#include "cli/bulk.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/rights.h"
#include "cli/rights_request.h"
#include "cli/show.h"
#include "cli/table.h"

#include <stdio.h>

const struct flag rights_erase_flags[] = {
	RIGHTS_CHANNEL_FLAG(false),
	RIGHTS_RECEIVED_FLAG,
	{ "dry-run", NULL, "say what would be erased, held and withdrawn; change and record nothing", false },
	{ "cancel-bookings", NULL, "cancel what is booked and still lives, too", false },
	REQUEST_ID_FLAG,
	{ "json", NULL, "print one JSON object", false },
	BULK_FLAGS,
	{ 0 },
};

/* ---- of a file ---- */

static uint8_t *pack_line(const struct invocation *invocation, const struct bulk_line *line, size_t *length)
{
	Needtoknow__V1__EraseRequest request = NEEDTOKNOW__V1__ERASE_REQUEST__INIT;
	Google__Protobuf__Timestamp received = line->received_at;

	request.request_id = (char *)(uintptr_t)line->request_id;
	request.subject_id = line->cells[BULK_SUBJECT];
	request.channel = line->channel;
	request.received_at = &received;
	request.cancel_bookings = flag_given(invocation, "cancel-bookings");
	*length = needtoknow__v1__erase_request__get_packed_size(&request);
	uint8_t *bytes = mem_alloc(*length + 1);
	needtoknow__v1__erase_request__pack(&request, bytes);
	return bytes;
}

static const Needtoknow__V1__Receipt *receipt_of(const ProtobufCMessage *answer)
{
	return ((const Needtoknow__V1__EraseResponse *)answer)->receipt;
}

static const char *const singles[] = { "dry-run", "request-id", NULL };
static const char *const switches[] = { "cancel-bookings", NULL };

static const struct bulk_kind kind = {
	.shape = { .method = "/needtoknow.v1.RightsService/Erase", .switches = switches },
	.method = &needtoknow_method_erase,
	.doing = "erased",
	.pack = pack_line,
	.receipt = receipt_of,
	.singles = singles,
};

/* ---- of one client ---- */

static void print_columns(const Needtoknow__V1__EraseResponse *response)
{
	static const char *const headings[] = { "COLUMN", "OUTCOME", "SINCE", "UNTIL", "GROUND", "LAW" };
	struct table *table = table_new(headings, sizeof headings / sizeof headings[0]);
	char time[OUTPUT_TIME_MAX];

	for (size_t i = 0; i < response->n_columns; i++) {
		const Needtoknow__V1__ErasedColumn *column = response->columns[i];
		table_cell(table, column->column);
		table_cell(table, output_enum(&needtoknow__v1__erasure_outcome__descriptor, (int)column->outcome));
		table_cell(table, output_time(column->since, time));
		table_cell(table, output_time(column->until, time));
		table_cell(table, column->ground);
		table_cell(table, column->law);
	}
	table_print(table, stdout);
	table_free(table);
}

static enum exit_code print_erasure(const struct invocation *invocation, const struct rights_request *asked,
	const Needtoknow__V1__EraseResponse *response)
{
	char time[OUTPUT_TIME_MAX];

	if (flag_given(invocation, "json"))
		return rights_print_json(&response->base, asked->request_id);
	if (flag_given(invocation, "dry-run"))
		printf("Nothing was changed. It would be:\n");
	print_columns(response);
	for (size_t i = 0; i < response->n_withdrawn; i++)
		show_disclosure(response->withdrawn[i]);
	output_pair(stdout, "key destroyed after", 19, output_time(response->key_destroyed_after, time));
	show_receipt(response->receipt);
	if (!flag_given(invocation, "dry-run"))
		output_line(stdout, "request", asked->request_id);
	return EXIT_OK;
}

enum exit_code rights_erase_run(const struct invocation *invocation)
{
	Needtoknow__V1__EraseRequest request = NEEDTOKNOW__V1__ERASE_REQUEST__INIT;
	const Needtoknow__V1__EraseResponse *response;
	struct needtoknow_status status;
	struct rights_request asked;
	enum exit_code code;

	if (flag_given(invocation, "file"))
		return bulk_run(invocation, &kind);
	code = rights_subject(invocation, &request.subject_id);
	if (code == EXIT_OK)
		code = rights_request_read(invocation, &asked);
	if (code != EXIT_OK)
		return code;
	struct needtoknow_client *client = failure_connect(invocation, &code);
	if (client == NULL)
		return code;
	request.request_id = asked.request_id;
	request.channel = asked.channel;
	request.received_at = &asked.received_at;
	request.dry_run = flag_given(invocation, "dry-run");
	request.cancel_bookings = flag_given(invocation, "cancel-bookings");
	if (needtoknow_erase(client, &request, &response, &status) == 0)
		code = print_erasure(invocation, &asked, response);
	else
		code = rights_failed(invocation, &status, &asked);
	needtoknow_client_free(client);
	return code;
}
