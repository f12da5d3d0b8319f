#include "cli/change.h"

#include "cli/booking_request.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/show.h"

#include <needtoknow/methods.h>

#define REASON_FLAG                                                                                                    \
	{                                                                                                              \
		"reason", "TEXT", "why, for people; kept beside the ledger", false                                     \
	}
#define JSON_FLAG                                                                                                      \
	{                                                                                                              \
		"json", NULL, "print one JSON object", false                                                           \
	}

const struct flag disclosure_reschedule_flags[] = {
	{ "from", "TIME", "when the booking starts now", true },
	{ "to", "TIME", "when it ends", true },
	REQUEST_ID_FLAG,
	JSON_FLAG,
	{ 0 },
};

const struct flag disclosure_revoke_flags[] = {
	{ "booking", NULL, "ID is a booking's: end all that lives of it", false },
	REASON_FLAG,
	REQUEST_ID_FLAG,
	JSON_FLAG,
	{ 0 },
};

const struct flag disclosure_reassign_flags[] = {
	{ "recipient", "ID", "who gets it from now on", true },
	REASON_FLAG,
	REQUEST_ID_FLAG,
	JSON_FLAG,
	{ 0 },
};

static enum exit_code print_json(const ProtobufCMessage *response, const char *request_id)
{
	json_t *object = output_json(response);

	json_object_set_new(object, "request_id", json_string(request_id));
	return output_json_line(object) == 0 ? EXIT_OK : EXIT_FAILED;
}

enum exit_code disclosure_reschedule_run(const struct invocation *invocation)
{
	Needtoknow__V1__RescheduleRequest request = NEEDTOKNOW__V1__RESCHEDULE_REQUEST__INIT;
	const Needtoknow__V1__RescheduleResponse *response;
	struct needtoknow_status status;
	struct needtoknow_client *client;
	struct window window;
	char request_id[UUID_TEXT_LENGTH + 1];
	enum exit_code code = booking_window(invocation, &window);

	if (code != EXIT_OK)
		return code;
	client = failure_connect(invocation, &code);
	if (client == NULL)
		return code;
	request.request_id = booking_request_id(invocation, request_id);
	request.disclosure_id = operand_text(invocation);
	request.starts_at = &window.starts_at;
	request.ends_at = &window.ends_at;
	if (needtoknow_reschedule(client, &request, &response, &status) != 0) {
		code = booking_request_failed(invocation, &status, request.request_id);
	} else if (flag_given(invocation, "json")) {
		code = print_json(&response->base, request.request_id);
	} else {
		if (response->disclosure != NULL)
			show_disclosure(response->disclosure);
		output_line(stdout, "request", request.request_id);
		show_receipt(response->receipt);
	}
	needtoknow_client_free(client);
	return code;
}

static void print_revoked(const Needtoknow__V1__RevokeResponse *response, const char *request_id)
{
	for (size_t i = 0; i < response->n_disclosures; i++) {
		show_disclosure(response->disclosures[i]);
		if (i < response->n_receipts)
			show_receipt(response->receipts[i]);
	}
	output_line(stdout, "request", request_id);
	if (response->n_receipts == 0)
		printf("Nothing of it was live any more.\n");
}

enum exit_code disclosure_revoke_run(const struct invocation *invocation)
{
	Needtoknow__V1__RevokeRequest request = NEEDTOKNOW__V1__REVOKE_REQUEST__INIT;
	const Needtoknow__V1__RevokeResponse *response;
	struct needtoknow_status status;
	char request_id[UUID_TEXT_LENGTH + 1];
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	request.request_id = booking_request_id(invocation, request_id);
	if (flag_given(invocation, "booking")) {
		request.target_case = NEEDTOKNOW__V1__REVOKE_REQUEST__TARGET_BOOKING_ID;
		request.booking_id = operand_text(invocation);
	} else {
		request.target_case = NEEDTOKNOW__V1__REVOKE_REQUEST__TARGET_DISCLOSURE_ID;
		request.disclosure_id = operand_text(invocation);
	}
	if (flag_given(invocation, "reason"))
		request.reason = flag_text(invocation, "reason");
	if (needtoknow_revoke(client, &request, &response, &status) != 0)
		code = booking_request_failed(invocation, &status, request.request_id);
	else if (flag_given(invocation, "json"))
		code = print_json(&response->base, request.request_id);
	else
		print_revoked(response, request.request_id);
	needtoknow_client_free(client);
	return code;
}

static void print_reassigned(const Needtoknow__V1__ReassignResponse *response, const char *request_id)
{
	if (response->withdrawn != NULL)
		show_disclosure(response->withdrawn);
	if (response->n_receipts > 0)
		show_receipt(response->receipts[0]);
	if (response->disclosure != NULL)
		show_disclosure(response->disclosure);
	if (response->n_receipts > 1)
		show_receipt(response->receipts[1]);
	output_line(stdout, "request", request_id);
}

enum exit_code disclosure_reassign_run(const struct invocation *invocation)
{
	Needtoknow__V1__ReassignRequest request = NEEDTOKNOW__V1__REASSIGN_REQUEST__INIT;
	const Needtoknow__V1__ReassignResponse *response;
	struct needtoknow_status status;
	char request_id[UUID_TEXT_LENGTH + 1];
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	request.request_id = booking_request_id(invocation, request_id);
	request.disclosure_id = operand_text(invocation);
	request.recipient_id = flag_text(invocation, "recipient");
	if (flag_given(invocation, "reason"))
		request.reason = flag_text(invocation, "reason");
	if (needtoknow_reassign(client, &request, &response, &status) != 0)
		code = booking_request_failed(invocation, &status, request.request_id);
	else if (flag_given(invocation, "json"))
		code = print_json(&response->base, request.request_id);
	else
		print_reassigned(response, request.request_id);
	needtoknow_client_free(client);
	return code;
}
