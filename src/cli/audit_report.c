#include "cli/audit_report.h"

#include "cli/audit_failure.h"
#include "cli/failure.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/private_file.h"
#include "cli/report_csv.h"
#include "cli/report_page.h"
#include "cli/report_text.h"
#include "cli/trust.h"
#include "pure/note.h"

#include <needtoknow/methods.h>

#include <string.h>

const struct flag audit_report_flags[] = {
	{ "format", "FORMAT", "text, json, csv, or html: a page for the client, to print or to send [text]", false },
	{ "language", "LANGUAGE", "of the page: fr or en [en where LC_ALL, LC_MESSAGES or LANG say so, else fr]",
		false },
	{ "out", "FILE", "write it there, readable by you alone [standard output]", false },
	TRUST_VKEY_FLAG,
	{ 0 },
};

/* How the report is wanted. */
struct wish {
	enum format format;
	enum language language;
	char vkey[NOTE_KEY_TEXT_MAX]; /* "": none was given */
};

static enum exit_code read_language(const struct invocation *invocation, struct wish *wish)
{
	const char *given = flag_value(invocation, "language");

	wish->language = language_of_locale();
	if (given == NULL)
		return EXIT_OK;
	if (wish->format != FORMAT_HTML) {
		fprintf(stderr, "needtoknow %s: --language is that of the page: add --format html\n",
			invocation->command->name);
		return EXIT_USAGE;
	}
	if (language_parse(given, &wish->language) == 0)
		return EXIT_OK;
	fprintf(stderr, "needtoknow %s: --language: `%s` is neither fr nor en\n", invocation->command->name, given);
	return EXIT_USAGE;
}

/* Of several keys, as while one takes over from another, the first: each has signed. */
static enum exit_code read_wish(const struct invocation *invocation, struct wish *wish)
{
	struct trust trust;
	enum exit_code code = format_read(invocation, FORMAT_HTML, &wish->format);

	if (code == EXIT_OK)
		code = read_language(invocation, wish);
	if (code == EXIT_OK)
		code = trust_read(invocation, false, &trust);
	if (code == EXIT_OK && trust.count > 0)
		note_verifier_text(&trust.keys[0], wish->vkey);
	return code;
}

static int write_report(FILE *file, const struct wish *wish, const Needtoknow__V1__GetSubjectReportResponse *message)
{
	switch (wish->format) {
	case FORMAT_JSON:
		return output_json_write(file, output_json(&message->base));
	case FORMAT_CSV:
		report_csv_print(file, message);
		return 0;
	case FORMAT_HTML:
		report_page_print(file, wish->language, message, wish->vkey[0] != '\0' ? wish->vkey : NULL);
		return 0;
	default:
		report_text_print(file, message);
		return 0;
	}
}

static enum exit_code print_report(const struct invocation *invocation, const struct wish *wish,
	const Needtoknow__V1__GetSubjectReportResponse *message)
{
	struct private_file out;

	if (!flag_given(invocation, "out"))
		return write_report(stdout, wish, message) == 0 && output_flush() == 0 ? EXIT_OK : EXIT_FAILED;
	if (private_file_open(&out, flag_value(invocation, "out")) != 0)
		return EXIT_FAILED;
	if (write_report(out.file, wish, message) != 0) {
		private_file_abandon(&out);
		return EXIT_FAILED;
	}
	return private_file_keep(&out) == 0 ? EXIT_OK : EXIT_FAILED;
}

enum exit_code audit_report_run(const struct invocation *invocation)
{
	Needtoknow__V1__GetSubjectReportRequest request = NEEDTOKNOW__V1__GET_SUBJECT_REPORT_REQUEST__INIT;
	const Needtoknow__V1__GetSubjectReportResponse *message;
	struct needtoknow_status status;
	struct wish wish = { 0 };
	enum exit_code code = read_wish(invocation, &wish);

	if (code != EXIT_OK)
		return code;
	struct needtoknow_client *client = failure_connect(invocation, &code);
	if (client == NULL)
		return code;
	request.subject_id = operand_text(invocation);
	if (needtoknow_get_subject_report(client, &request, &message, &status) == 0)
		code = print_report(invocation, &wish, message);
	else
		code = audit_failure(invocation, &status);
	needtoknow_client_free(client);
	return code;
}
