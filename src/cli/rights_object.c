#include "base/memory.h"
#include "cli/bulk.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/rights.h"
#include "cli/rights_request.h"
#include "cli/show.h"

#include <stdio.h>

const struct flag rights_object_flags[] = {
	{ "purpose", "PURPOSE", "as the policy has it, `dpv:DirectMarketing` [all that may be objected to]", false },
	RIGHTS_CHANNEL_FLAG(false),
	RIGHTS_RECEIVED_FLAG,
	{ "reason", "TEXT", "the client's reasons, or the company's; kept beside the ledger", false },
	{ "upheld", NULL, "the company has weighed an objection under art. 21(1), and it stands", false },
	{ "lift", NULL, "the client has changed their mind", false },
	{ "overridden", NULL, "with --lift: the company's grounds override it (art. 21(1)); --reason says which",
		false },
	REQUEST_ID_FLAG,
	{ "json", NULL, "print one JSON object", false },
	BULK_FLAGS,
	{ 0 },
};

/* ---- of a file ---- */

static uint8_t *pack_line(const struct invocation *invocation, const struct bulk_line *line, size_t *length)
{
	Needtoknow__V1__ObjectRequest request = NEEDTOKNOW__V1__OBJECT_REQUEST__INIT;
	Google__Protobuf__Timestamp received = line->received_at;

	request.request_id = (char *)(uintptr_t)line->request_id;
	request.subject_id = line->cells[BULK_SUBJECT];
	request.channel = line->channel;
	request.received_at = &received;
	request.upheld = flag_given(invocation, "upheld");
	if (line->cells[BULK_PURPOSE] != NULL)
		request.purpose = line->cells[BULK_PURPOSE];
	if (line->cells[BULK_REASON] != NULL)
		request.reason = line->cells[BULK_REASON];
	*length = needtoknow__v1__object_request__get_packed_size(&request);
	uint8_t *bytes = mem_alloc(*length + 1);
	needtoknow__v1__object_request__pack(&request, bytes);
	return bytes;
}

static const Needtoknow__V1__Receipt *receipt_of(const ProtobufCMessage *answer)
{
	const Needtoknow__V1__ObjectResponse *response = (const Needtoknow__V1__ObjectResponse *)answer;

	return response->n_receipts > 0 ? response->receipts[0] : NULL;
}

static const char *const singles[] = { "lift", "overridden", "request-id", NULL };
static const char *const switches[] = { "upheld", NULL };

static const struct bulk_kind kind = {
	.shape = { .method = "/needtoknow.v1.RightsService/Object",
		.columns = BULK_HAS(BULK_PURPOSE) | BULK_HAS(BULK_REASON),
		.switches = switches },
	.method = &needtoknow_method_object,
	.doing = "objected",
	.pack = pack_line,
	.receipt = receipt_of,
	.singles = singles,
};

/* ---- of one client ---- */

static void print_objection(const Needtoknow__V1__Objection *objection)
{
	char time[OUTPUT_TIME_MAX];

	fputs(output_style(stdout, STYLE_BOLD), stdout);
	output_text(stdout, objection->purpose[0] != '\0' ? objection->purpose : "all that may be objected to");
	fputs(output_style(stdout, STYLE_PLAIN), stdout);
	fputs(", GDPR art. ", stdout);
	output_text(stdout, objection->article);
	printf(", since %s%s\n", output_time(objection->raised_at, time),
		objection->to_be_weighed ? "; it holds, and is still to be weighed: --upheld, or --lift --overridden"
					 : "");
}

static enum exit_code raise(const struct invocation *invocation, struct needtoknow_client *client, char *subject,
	struct rights_request *asked)
{
	Needtoknow__V1__ObjectRequest request = NEEDTOKNOW__V1__OBJECT_REQUEST__INIT;
	const Needtoknow__V1__ObjectResponse *response;
	struct needtoknow_status status;

	request.request_id = asked->request_id;
	request.subject_id = subject;
	request.channel = asked->channel;
	request.received_at = &asked->received_at;
	request.upheld = flag_given(invocation, "upheld");
	if (flag_given(invocation, "purpose"))
		request.purpose = flag_text(invocation, "purpose");
	if (flag_given(invocation, "reason"))
		request.reason = flag_text(invocation, "reason");
	if (needtoknow_object(client, &request, &response, &status) != 0)
		return rights_failed(invocation, &status, asked);
	if (flag_given(invocation, "json"))
		return rights_print_json(&response->base, asked->request_id);
	for (size_t i = 0; i < response->n_objections; i++)
		print_objection(response->objections[i]);
	for (size_t i = 0; i < response->n_withdrawn; i++)
		show_disclosure(response->withdrawn[i]);
	for (size_t i = 0; i < response->n_receipts; i++)
		show_receipt(response->receipts[i]);
	output_line(stdout, "request", asked->request_id);
	return EXIT_OK;
}

static enum exit_code lift(const struct invocation *invocation, struct needtoknow_client *client, char *subject,
	struct rights_request *asked)
{
	Needtoknow__V1__LiftObjectionRequest request = NEEDTOKNOW__V1__LIFT_OBJECTION_REQUEST__INIT;
	const Needtoknow__V1__LiftObjectionResponse *response;
	struct needtoknow_status status;

	request.request_id = asked->request_id;
	request.subject_id = subject;
	request.channel = asked->channel;
	request.received_at = &asked->received_at;
	request.overridden = flag_given(invocation, "overridden");
	if (flag_given(invocation, "purpose"))
		request.purpose = flag_text(invocation, "purpose");
	if (flag_given(invocation, "reason"))
		request.reason = flag_text(invocation, "reason");
	if (needtoknow_lift_objection(client, &request, &response, &status) != 0)
		return rights_failed(invocation, &status, asked);
	if (flag_given(invocation, "json"))
		return rights_print_json(&response->base, asked->request_id);
	for (size_t i = 0; i < response->n_receipts; i++)
		show_receipt(response->receipts[i]);
	output_line(stdout, "request", asked->request_id);
	return EXIT_OK;
}

/* What goes together. */
static enum exit_code check_flags(const struct invocation *invocation)
{
	bool lifts = flag_given(invocation, "lift");

	if (lifts && flag_given(invocation, "upheld"))
		return rights_contradict(invocation, "--lift", "--upheld");
	if (!lifts && flag_given(invocation, "overridden")) {
		fprintf(stderr, "needtoknow %s: --overridden goes with --lift\n", invocation->command->name);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

enum exit_code rights_object_run(const struct invocation *invocation)
{
	struct rights_request asked;
	struct needtoknow_client *client;
	enum exit_code code = check_flags(invocation);
	char *subject;

	if (code == EXIT_OK && flag_given(invocation, "file"))
		return bulk_run(invocation, &kind);
	if (code == EXIT_OK)
		code = rights_subject(invocation, &subject);
	if (code == EXIT_OK)
		code = rights_request_read(invocation, &asked);
	if (code != EXIT_OK)
		return code;
	client = failure_connect(invocation, &code);
	if (client == NULL)
		return code;
	code = (flag_given(invocation, "lift") ? lift : raise)(invocation, client, subject, &asked);
	needtoknow_client_free(client);
	return code;
}
