#include "cli/failure.h"
#include "cli/output.h"
#include "cli/rights.h"
#include "cli/rights_request.h"

#include <needtoknow/methods.h>

const struct flag rights_extend_flags[] = {
	{ "reason", "TEXT", "why: that it is complex, or that there are many; the client is told", true },
	{ "caller", "SPIFFE-ID", "who made the request, as `needtoknow rights list` says [this certificate]", false },
	{ "json", NULL, "print one JSON object", false },
	{ 0 },
};

enum exit_code rights_extend_run(const struct invocation *invocation)
{
	Needtoknow__V1__ExtendRequestRequest request = NEEDTOKNOW__V1__EXTEND_REQUEST_REQUEST__INIT;
	const Needtoknow__V1__ExtendRequestResponse *response;
	struct needtoknow_status status;
	char time[OUTPUT_TIME_MAX];
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	request.request_id = operand_text(invocation);
	request.reason = flag_text(invocation, "reason");
	if (flag_given(invocation, "caller"))
		request.caller = flag_text(invocation, "caller");
	if (needtoknow_extend_request(client, &request, &response, &status) != 0)
		code = rights_failed(invocation, &status, NULL);
	else if (flag_given(invocation, "json"))
		code = output_json_line(output_json(&response->base)) == 0 ? EXIT_OK : EXIT_FAILED;
	else if (response->request != NULL)
		output_line(stdout, "due", output_time(response->request->due_at, time));
	needtoknow_client_free(client);
	return code;
}
