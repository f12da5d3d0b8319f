#include "cli/share.h"

#include "cli/booking_request.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/show.h"
#include "pure/decision.h"

#include <needtoknow/methods.h>

#include <string.h>

#define BOOKING_FLAGS                                                                                                  \
	{ "booking", "ID", "the booking, as the booking system numbers it", true },                                    \
		{ "subject", "ID", "the client whose data it is", true },                                              \
		{ "recipient", "ID", "who is to be sent it", true },                                                   \
		{ "service", "NAME", "what is done, as the policy names it", true },                                   \
		{ "from", "TIME", "when the booking starts", true }, { "to", "TIME", "when it ends", true },           \
		{ "json", NULL, "print one JSON object", false },                                                      \
	{                                                                                                              \
		0                                                                                                      \
	}

const struct flag share_flags[] = {
	REQUEST_ID_FLAG,
	BOOKING_FLAGS,
};
const struct flag explain_flags[] = { BOOKING_FLAGS };

static enum exit_code print_share(
	const struct invocation *invocation, const char *request_id, const Needtoknow__V1__ShareResponse *response)
{
	if (flag_given(invocation, "json")) {
		json_t *object = output_json(&response->base);
		json_object_set_new(object, "request_id", json_string(request_id));
		return output_json_line(object) == 0 ? EXIT_OK : EXIT_FAILED;
	}
	if (response->disclosure != NULL)
		show_disclosure(response->disclosure);
	output_line(stdout, "request", request_id);
	show_receipt(response->receipt);
	return EXIT_OK;
}

enum exit_code share_run(const struct invocation *invocation)
{
	Needtoknow__V1__ShareRequest request = NEEDTOKNOW__V1__SHARE_REQUEST__INIT;
	const Needtoknow__V1__ShareResponse *response;
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
	request.booking_id = flag_text(invocation, "booking");
	request.subject_id = flag_text(invocation, "subject");
	request.recipient_id = flag_text(invocation, "recipient");
	request.service = flag_text(invocation, "service");
	request.starts_at = &window.starts_at;
	request.ends_at = &window.ends_at;
	if (needtoknow_share(client, &request, &response, &status) == 0)
		code = print_share(invocation, request.request_id, response);
	else
		code = booking_request_failed(invocation, &status, request.request_id);
	needtoknow_client_free(client);
	return code;
}

/* What the contract says about a reason, and what to do. */
static void print_meaning(const char *reason)
{
	int value;

	if (output_enum_parse(&needtoknow__v1__reason__descriptor, reason, strlen(reason), &value) == 0)
		printf(", %s", reason_message((Needtoknow__V1__Reason)value));
}

static enum exit_code print_explanation(
	const struct invocation *invocation, const Needtoknow__V1__ExplainResponse *response)
{
	enum exit_code code = response->allowed ? EXIT_OK : EXIT_REFUSED;

	if (flag_given(invocation, "json"))
		return output_json_line(output_json(&response->base)) == 0 ? code : EXIT_FAILED;
	printf("%s%s%s", output_style(stdout, response->allowed ? STYLE_GOOD : STYLE_BAD),
		response->allowed ? "ALLOWED" : "REFUSED", output_style(stdout, STYLE_PLAIN));
	if (!response->allowed) {
		fputs(": ", stdout);
		output_text(stdout, response->reason);
		print_meaning(response->reason);
	}
	putchar('\n');
	show_releases(response->releases, response->n_releases);
	return code;
}

enum exit_code explain_run(const struct invocation *invocation)
{
	Needtoknow__V1__ExplainRequest request = NEEDTOKNOW__V1__EXPLAIN_REQUEST__INIT;
	const Needtoknow__V1__ExplainResponse *response;
	struct needtoknow_status status;
	struct needtoknow_client *client;
	struct window window;
	enum exit_code code = booking_window(invocation, &window);

	if (code != EXIT_OK)
		return code;
	client = failure_connect(invocation, &code);
	if (client == NULL)
		return code;
	request.booking_id = flag_text(invocation, "booking");
	request.subject_id = flag_text(invocation, "subject");
	request.recipient_id = flag_text(invocation, "recipient");
	request.service = flag_text(invocation, "service");
	request.starts_at = &window.starts_at;
	request.ends_at = &window.ends_at;
	if (needtoknow_explain(client, &request, &response, &status) == 0)
		code = print_explanation(invocation, response);
	else
		code = failure_report(invocation, &status);
	needtoknow_client_free(client);
	return code;
}
