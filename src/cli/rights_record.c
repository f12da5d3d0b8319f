#include "cli/failure.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/private_file.h"
#include "cli/record_page.h"
#include "cli/record_text.h"
#include "cli/rights.h"
#include "cli/rights_request.h"
#include "cli/trust.h"
#include "pure/note.h"

#include <needtoknow/methods.h>

#include <string.h>

const struct flag rights_record_flags[] = {
	{ "format", "FORMAT", "text, json, csv (the columns alone), or html: a page for the client [text]", false },
	{ "language", "LANGUAGE", "of the page: fr or en [en where LC_ALL, LC_MESSAGES or LANG say so, else fr]",
		false },
	{ "out", "FILE", "write it there, readable by you alone [standard output]", false },
	TRUST_VKEY_FLAG,
	RIGHTS_CHANNEL_FLAG(true),
	RIGHTS_RECEIVED_FLAG,
	REQUEST_ID_FLAG,
	{ 0 },
};

/* How the answer is wanted. */
struct wish {
	struct rights_request asked;
	enum format format;
	enum language language;
	char vkey[NOTE_KEY_TEXT_MAX]; /* "": none was given */
};

static enum exit_code read_language(const struct invocation *invocation, struct wish *wish)
{
	const char *given = flag_value(invocation, "language");

	wish->language = language_of_locale();
	if (given == NULL || (wish->format == FORMAT_HTML && language_parse(given, &wish->language) == 0))
		return EXIT_OK;
	fprintf(stderr,
		wish->format == FORMAT_HTML ? "needtoknow %s: --language is neither fr nor en\n"
					    : "needtoknow %s: --language is that of the page: add --format html\n",
		invocation->command->name);
	return EXIT_USAGE;
}

static enum exit_code read_wish(const struct invocation *invocation, struct wish *wish)
{
	struct trust trust;
	enum exit_code code = format_read(invocation, FORMAT_HTML, &wish->format);

	if (code == EXIT_OK)
		code = read_language(invocation, wish);
	if (code == EXIT_OK)
		code = rights_request_read(invocation, &wish->asked);
	if (code == EXIT_OK)
		code = trust_read(invocation, false, &trust);
	if (code == EXIT_OK && trust.count > 0)
		note_verifier_text(&trust.keys[0], wish->vkey);
	return code;
}

static int write_json(FILE *file, const char *subject_id, const struct wish *wish,
	const Needtoknow__V1__GetSubjectRecordResponse *message)
{
	json_t *object = output_json(&message->base);

	json_object_set_new(object, "subject_id", json_string(subject_id));
	json_object_set_new(object, "request_id", json_string(wish->asked.request_id));
	return output_json_write(file, object);
}

static int write_record(FILE *file, const char *subject_id, const struct wish *wish,
	const Needtoknow__V1__GetSubjectRecordResponse *message)
{
	switch (wish->format) {
	case FORMAT_JSON:
		return write_json(file, subject_id, wish, message);
	case FORMAT_CSV:
		record_csv_print(file, message);
		return 0;
	case FORMAT_HTML:
		record_page_print(file, wish->language, subject_id, message, wish->vkey[0] != '\0' ? wish->vkey : NULL);
		return 0;
	default:
		record_text_print(file, subject_id, message);
		return 0;
	}
}

static enum exit_code print_record(const struct invocation *invocation, const struct wish *wish,
	const Needtoknow__V1__GetSubjectRecordResponse *message)
{
	struct private_file out;

	if (!flag_given(invocation, "out"))
		return write_record(stdout, invocation->operand, wish, message) == 0 && output_flush() == 0
			? EXIT_OK
			: EXIT_FAILED;
	if (private_file_open(&out, flag_value(invocation, "out")) != 0)
		return EXIT_FAILED;
	if (write_record(out.file, invocation->operand, wish, message) != 0) {
		private_file_abandon(&out);
		return EXIT_FAILED;
	}
	return private_file_keep(&out) == 0 ? EXIT_OK : EXIT_FAILED;
}

enum exit_code rights_record_run(const struct invocation *invocation)
{
	Needtoknow__V1__GetSubjectRecordRequest request = NEEDTOKNOW__V1__GET_SUBJECT_RECORD_REQUEST__INIT;
	const Needtoknow__V1__GetSubjectRecordResponse *message;
	struct needtoknow_status status;
	struct wish wish = { 0 };
	enum exit_code code = read_wish(invocation, &wish);

	if (code != EXIT_OK)
		return code;
	struct needtoknow_client *client = failure_connect(invocation, &code);
	if (client == NULL)
		return code;
	request.request_id = wish.asked.request_id;
	request.subject_id = operand_text(invocation);
	request.channel = wish.asked.channel;
	request.received_at = &wish.asked.received_at;
	if (needtoknow_get_subject_record(client, &request, &message, &status) == 0)
		code = print_record(invocation, &wish, message);
	else
		code = rights_failed(invocation, &status, &wish.asked);
	needtoknow_client_free(client);
	return code;
}
