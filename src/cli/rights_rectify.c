#include "base/memory.h"
#include "cli/bulk.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/rights.h"
#include "cli/rights_request.h"
#include "cli/rights_values.h"
#include "cli/show.h"

#include <stdio.h>

const struct flag rights_rectify_flags[] = {
	{ "column", "NAME", "which, as `needtoknow rights record` names it, `client.phone`", false },
	{ "value-file", "FILE", "its new value, the whole of FILE; `-`: standard input", false },
	{ "null", NULL, "it has no value any more", false },
	RIGHTS_CHANNEL_FLAG(false),
	RIGHTS_RECEIVED_FLAG,
	REQUEST_ID_FLAG,
	{ "json", NULL, "print one JSON object", false },
	BULK_FLAGS,
	{ 0 },
};

/* ---- of a file ---- */

static uint8_t *pack_line(const struct invocation *invocation, const struct bulk_line *line, size_t *length)
{
	Needtoknow__V1__RectifyRequest request = NEEDTOKNOW__V1__RECTIFY_REQUEST__INIT;
	Needtoknow__V1__ColumnValue value = NEEDTOKNOW__V1__COLUMN_VALUE__INIT;
	Google__Protobuf__Timestamp received = line->received_at;

	(void)invocation;
	value.column = line->cells[BULK_COLUMN];
	value.is_null = line->cells[BULK_VALUE] == NULL;
	if (line->cells[BULK_VALUE] != NULL)
		value.value = line->cells[BULK_VALUE];
	request.request_id = (char *)(uintptr_t)line->request_id;
	request.subject_id = line->cells[BULK_SUBJECT];
	request.channel = line->channel;
	request.received_at = &received;
	request.value = &value;
	*length = needtoknow__v1__rectify_request__get_packed_size(&request);
	uint8_t *bytes = mem_alloc(*length + 1);
	needtoknow__v1__rectify_request__pack(&request, bytes);
	return bytes;
}

static const Needtoknow__V1__Receipt *receipt_of(const ProtobufCMessage *answer)
{
	return ((const Needtoknow__V1__RectifyResponse *)answer)->receipt;
}

static const char *const singles[] = { "value-file", "null", "request-id", NULL };

static const struct bulk_kind kind = {
	.shape = { .method = "/needtoknow.v1.RightsService/Rectify",
		.columns = BULK_HAS(BULK_COLUMN) | BULK_HAS(BULK_VALUE),
		.needed = BULK_HAS(BULK_COLUMN) | BULK_HAS(BULK_VALUE) },
	.method = &needtoknow_method_rectify,
	.doing = "rectified",
	.pack = pack_line,
	.receipt = receipt_of,
	.singles = singles,
};

/* ---- of one client ---- */

static enum exit_code print_rectified(const struct invocation *invocation, const struct rights_request *asked,
	const Needtoknow__V1__RectifyResponse *response)
{
	if (flag_given(invocation, "json"))
		return rights_print_json(&response->base, asked->request_id);
	if (response->unchanged)
		printf("It was so already: nobody is told.\n");
	else
		printf("Rectified; %d devices of recipients are told.\n", response->told);
	show_receipt(response->receipt);
	output_line(stdout, "request", asked->request_id);
	return EXIT_OK;
}

static enum exit_code ask(
	const struct invocation *invocation, struct rights_request *asked, Needtoknow__V1__RectifyRequest *request)
{
	const Needtoknow__V1__RectifyResponse *response;
	struct needtoknow_status status;
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	request->request_id = asked->request_id;
	request->channel = asked->channel;
	request->received_at = &asked->received_at;
	if (needtoknow_rectify(client, request, &response, &status) == 0)
		code = print_rectified(invocation, asked, response);
	else
		code = rights_failed(invocation, &status, asked);
	needtoknow_client_free(client);
	return code;
}

/* The column, and either a file with its value or none. */
static enum exit_code check_flags(const struct invocation *invocation)
{
	bool file = flag_given(invocation, "value-file"), none = flag_given(invocation, "null");

	if (file && none)
		return rights_contradict(invocation, "--value-file", "--null");
	if (flag_given(invocation, "column") && (file || none))
		return EXIT_OK;
	fprintf(stderr, "needtoknow %s: %s is missing\n", invocation->command->name,
		flag_given(invocation, "column") ? "--value-file FILE, or --null," : "--column NAME");
	return EXIT_USAGE;
}

enum exit_code rights_rectify_run(const struct invocation *invocation)
{
	Needtoknow__V1__RectifyRequest request = NEEDTOKNOW__V1__RECTIFY_REQUEST__INIT;
	Needtoknow__V1__ColumnValue none = NEEDTOKNOW__V1__COLUMN_VALUE__INIT;
	struct rights_values values = { 0 };
	struct rights_request asked;
	enum exit_code code;

	if (flag_given(invocation, "file"))
		return bulk_run(invocation, &kind);
	code = rights_subject(invocation, &request.subject_id);
	if (code == EXIT_OK)
		code = check_flags(invocation);
	if (code == EXIT_OK)
		code = rights_request_read(invocation, &asked);
	if (code == EXIT_OK && flag_given(invocation, "value-file"))
		code = rights_value_read(
			flag_value(invocation, "value-file"), flag_value(invocation, "column"), &values);
	if (code != EXIT_OK)
		return code;
	none.column = flag_text(invocation, "column");
	none.is_null = true;
	request.value = values.count > 0 ? &values.items[0] : &none;
	code = ask(invocation, &asked, &request);
	rights_values_release(&values);
	return code;
}
