#include "base/memory.h"
#include "cli/bulk.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/rights.h"
#include "cli/rights_request.h"
#include "cli/show.h"

const struct flag rights_restrict_flags[] = {
	RIGHTS_CHANNEL_FLAG(false),
	RIGHTS_RECEIVED_FLAG,
	{ "reason", "TEXT", "why, for people; kept beside the ledger", false },
	{ "lift", NULL, "the restriction is over: the same devices are told (art. 18(3))", false },
	REQUEST_ID_FLAG,
	{ "json", NULL, "print one JSON object", false },
	BULK_FLAGS,
	{ 0 },
};

/* ---- of a file ---- */

static uint8_t *pack_line(const struct invocation *invocation, const struct bulk_line *line, size_t *length)
{
	Needtoknow__V1__RestrictRequest request = NEEDTOKNOW__V1__RESTRICT_REQUEST__INIT;
	Google__Protobuf__Timestamp received = line->received_at;

	(void)invocation;
	request.request_id = (char *)(uintptr_t)line->request_id;
	request.subject_id = line->cells[BULK_SUBJECT];
	request.channel = line->channel;
	request.received_at = &received;
	if (line->cells[BULK_REASON] != NULL)
		request.reason = line->cells[BULK_REASON];
	*length = needtoknow__v1__restrict_request__get_packed_size(&request);
	uint8_t *bytes = mem_alloc(*length + 1);
	needtoknow__v1__restrict_request__pack(&request, bytes);
	return bytes;
}

static const Needtoknow__V1__Receipt *receipt_of(const ProtobufCMessage *answer)
{
	const Needtoknow__V1__RestrictResponse *response = (const Needtoknow__V1__RestrictResponse *)answer;

	return response->n_receipts > 0 ? response->receipts[0] : NULL;
}

static const char *const singles[] = { "lift", "request-id", NULL };

static const struct bulk_kind kind = {
	.shape = { .method = "/needtoknow.v1.RightsService/Restrict", .columns = BULK_HAS(BULK_REASON) },
	.method = &needtoknow_method_restrict,
	.doing = "restricted",
	.pack = pack_line,
	.receipt = receipt_of,
	.singles = singles,
};

/* ---- of one client ---- */

static void print_receipts(Needtoknow__V1__Receipt *const *receipts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		show_receipt(receipts[i]);
}

static enum exit_code raise(const struct invocation *invocation, struct needtoknow_client *client, char *subject,
	struct rights_request *asked)
{
	Needtoknow__V1__RestrictRequest request = NEEDTOKNOW__V1__RESTRICT_REQUEST__INIT;
	const Needtoknow__V1__RestrictResponse *response;
	struct needtoknow_status status;

	request.request_id = asked->request_id;
	request.subject_id = subject;
	request.channel = asked->channel;
	request.received_at = &asked->received_at;
	if (flag_given(invocation, "reason"))
		request.reason = flag_text(invocation, "reason");
	if (needtoknow_restrict(client, &request, &response, &status) != 0)
		return rights_failed(invocation, &status, asked);
	if (flag_given(invocation, "json"))
		return rights_print_json(&response->base, asked->request_id);
	for (size_t i = 0; i < response->n_disclosures; i++)
		show_disclosure(response->disclosures[i]);
	print_receipts(response->receipts, response->n_receipts);
	output_line(stdout, "request", asked->request_id);
	printf("Nothing is delivered of this client's until the restriction is lifted; %zu devices are told to keep "
	       "and "
	       "not to use what they have.\n",
		response->n_receipts > 0 ? response->n_receipts - 1 : (size_t)0);
	return EXIT_OK;
}

static enum exit_code lift(const struct invocation *invocation, struct needtoknow_client *client, char *subject,
	struct rights_request *asked)
{
	Needtoknow__V1__LiftRestrictionRequest request = NEEDTOKNOW__V1__LIFT_RESTRICTION_REQUEST__INIT;
	const Needtoknow__V1__LiftRestrictionResponse *response;
	struct needtoknow_status status;

	request.request_id = asked->request_id;
	request.subject_id = subject;
	request.channel = asked->channel;
	request.received_at = &asked->received_at;
	if (flag_given(invocation, "reason"))
		request.reason = flag_text(invocation, "reason");
	if (needtoknow_lift_restriction(client, &request, &response, &status) != 0)
		return rights_failed(invocation, &status, asked);
	if (flag_given(invocation, "json"))
		return rights_print_json(&response->base, asked->request_id);
	for (size_t i = 0; i < response->n_disclosures; i++)
		show_disclosure(response->disclosures[i]);
	print_receipts(response->receipts, response->n_receipts);
	output_line(stdout, "request", asked->request_id);
	return EXIT_OK;
}

enum exit_code rights_restrict_run(const struct invocation *invocation)
{
	struct rights_request asked;
	struct needtoknow_client *client;
	enum exit_code code;
	char *subject;

	if (flag_given(invocation, "file"))
		return bulk_run(invocation, &kind);
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
