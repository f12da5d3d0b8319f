#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/rights.h"
#include "cli/rights_request.h"
#include "cli/rights_values.h"
#include "cli/show.h"

#include <needtoknow/methods.h>

#include <stdio.h>
#include <string.h>

const struct flag rights_register_flags[] = {
	{ "columns", "FILE", "what is known of the client: CSV, `column,value`; `-`: standard input", true },
	{ "origin", "ORIGIN", "direct: a file typed by staff; website: a sign-up", true },
	{ "notice", "VERSION", "the information that the client was shown (art. 13, 14), `2026-05`", true },
	RIGHTS_CHANNEL_FLAG(true),
	RIGHTS_RECEIVED_FLAG,
	REQUEST_ID_FLAG,
	{ "json", NULL, "print one JSON object", false },
	{ 0 },
};

static enum exit_code read_origin(const struct invocation *invocation, Needtoknow__V1__Origin *out)
{
	const char *given = flag_value(invocation, "origin");
	int value;

	if (output_enum_parse(&needtoknow__v1__origin__descriptor, given, strlen(given), &value) == 0 && value != 0) {
		*out = (Needtoknow__V1__Origin)value;
		return EXIT_OK;
	}
	fprintf(stderr, "needtoknow %s: --origin: `%s` is neither direct nor website\n", invocation->command->name,
		given);
	return EXIT_USAGE;
}

static enum exit_code print_registered(const struct invocation *invocation, const struct rights_request *asked,
	const Needtoknow__V1__RegisterResponse *response)
{
	char time[OUTPUT_TIME_MAX];

	if (flag_given(invocation, "json"))
		return rights_print_json(&response->base, asked->request_id);
	fputs(output_style(stdout, STYLE_BOLD), stdout);
	output_text(stdout, response->subject_id);
	printf("%s\n", output_style(stdout, STYLE_PLAIN));
	for (size_t i = 0; i < response->n_carried_over; i++) {
		const Needtoknow__V1__ReportedRight *right = response->carried_over[i];
		char text[512];
		snprintf(text, sizeof text, "%s%s%s, since %s",
			output_enum(&needtoknow__v1__right_kind__descriptor, (int)right->kind),
			right->purpose[0] != '\0' ? " " : "", right->purpose, output_time(right->raised_at, time));
		output_line(stdout, i == 0 ? "carried over" : "", text);
	}
	show_receipt(response->receipt);
	output_line(stdout, "request", asked->request_id);
	return EXIT_OK;
}

static enum exit_code ask(
	const struct invocation *invocation, struct rights_request *asked, Needtoknow__V1__RegisterRequest *request)
{
	const Needtoknow__V1__RegisterResponse *response;
	struct needtoknow_status status;
	enum exit_code code;
	struct needtoknow_client *client = failure_connect(invocation, &code);

	if (client == NULL)
		return code;
	request->request_id = asked->request_id;
	request->channel = asked->channel;
	request->received_at = &asked->received_at;
	request->notice_version = flag_text(invocation, "notice");
	if (needtoknow_register(client, request, &response, &status) == 0)
		code = print_registered(invocation, asked, response);
	else
		code = rights_failed(invocation, &status, asked);
	needtoknow_client_free(client);
	return code;
}

enum exit_code rights_register_run(const struct invocation *invocation)
{
	Needtoknow__V1__RegisterRequest request = NEEDTOKNOW__V1__REGISTER_REQUEST__INIT;
	struct rights_values values = { 0 };
	struct rights_request asked;
	enum exit_code code = read_origin(invocation, &request.origin);

	if (code == EXIT_OK)
		code = rights_request_read(invocation, &asked);
	if (code == EXIT_OK)
		code = rights_values_read(flag_value(invocation, "columns"), &values);
	if (code != EXIT_OK)
		return code;
	request.columns = values.pointers;
	request.n_columns = values.count;
	code = ask(invocation, &asked, &request);
	rights_values_release(&values);
	return code;
}
