#include "cli/suspension.h"

#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/recipient.h"
#include "cli/show.h"

#include <needtoknow/methods.h>

const struct flag recipient_suspend_flags[] = {
	{ "reason", "TEXT", "why, for people; kept beside the ledger", false },
	{ "json", NULL, "print one JSON object", false },
	{ 0 },
};

const struct flag recipient_resume_flags[] = {
	{ "json", NULL, "print one JSON object", false },
	{ 0 },
};

const struct flag recipient_revoke_device_flags[] = {
	{ "json", NULL, "print one JSON object", false },
	{ 0 },
};

static enum exit_code print_json(const ProtobufCMessage *response)
{
	return output_json_line(output_json(response)) == 0 ? EXIT_OK : EXIT_FAILED;
}

enum exit_code recipient_suspend_run(const struct invocation *invocation)
{
	Needtoknow__V1__SuspendRecipientRequest request = NEEDTOKNOW__V1__SUSPEND_RECIPIENT_REQUEST__INIT;
	const Needtoknow__V1__SuspendRecipientResponse *response;
	struct needtoknow_status status;
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	request.recipient_id = operand_text(invocation);
	if (flag_given(invocation, "reason"))
		request.reason = flag_text(invocation, "reason");
	if (needtoknow_suspend_recipient(client, &request, &response, &status) != 0) {
		code = failure_report(invocation, &status);
	} else if (flag_given(invocation, "json")) {
		code = print_json(&response->base);
	} else {
		recipient_show(response->recipient);
		for (size_t i = 0; i < response->n_receipts; i++)
			show_receipt(response->receipts[i]);
		if (response->n_receipts == 0)
			printf("It was suspended already.\n");
	}
	needtoknow_client_free(client);
	return code;
}

enum exit_code recipient_resume_run(const struct invocation *invocation)
{
	Needtoknow__V1__ResumeRecipientRequest request = NEEDTOKNOW__V1__RESUME_RECIPIENT_REQUEST__INIT;
	const Needtoknow__V1__ResumeRecipientResponse *response;
	struct needtoknow_status status;
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	request.recipient_id = operand_text(invocation);
	if (needtoknow_resume_recipient(client, &request, &response, &status) != 0) {
		code = failure_report(invocation, &status);
	} else if (flag_given(invocation, "json")) {
		code = print_json(&response->base);
	} else {
		recipient_show(response->recipient);
		show_receipt(response->receipt);
		if (response->receipt == NULL)
			printf("It was not suspended.\n");
	}
	needtoknow_client_free(client);
	return code;
}

enum exit_code recipient_revoke_device_run(const struct invocation *invocation)
{
	Needtoknow__V1__RevokeDeviceRequest request = NEEDTOKNOW__V1__REVOKE_DEVICE_REQUEST__INIT;
	const Needtoknow__V1__RevokeDeviceResponse *response;
	struct needtoknow_status status;
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	request.recipient_id = operand_text(invocation);
	request.device = (char *)invocation->second_operand;
	if (needtoknow_revoke_device(client, &request, &response, &status) != 0) {
		code = failure_report(invocation, &status);
	} else if (flag_given(invocation, "json")) {
		code = print_json(&response->base);
	} else {
		for (size_t i = 0; i < response->n_receipts; i++)
			show_receipt(response->receipts[i]);
		if (response->n_receipts == 0)
			printf("It was revoked already.\n");
	}
	needtoknow_client_free(client);
	return code;
}
