#include "cli/checkpoint.h"

#include "base/memory.h"
#include "cli/file.h"
#include "cli/output.h"
#include "cli/service_log.h"
#include "cli/verdict.h"
#include "pure/text_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct flag audit_checkpoint_flags[] = {
	TRUST_VKEY_FLAG,
	{ "save", "FILE", "keep it there, if what is there is its beginning", false },
	{ 0 },
};

/* The one that was kept must be the beginning of the new one: else it is evidence, and stays. */
static enum exit_code compare(
	const struct invocation *invocation, struct service_log *log, const struct checkpoint *kept, const char *path)
{
	const struct checkpoint *now = &log->checkpoint;
	struct verdict verdict = { 0 };
	enum exit_code code;

	if (strcmp(kept->origin, now->origin) != 0) {
		verdict_fault(
			&verdict, VERDICT_WHOLE, "%s is of another log, `%s`; it stays as it is", path, kept->origin);
	} else if (kept->size > now->size) {
		verdict_fault(&verdict, VERDICT_WHOLE,
			"the log was rolled back: it had %" PRIu64 " entries in %s, now it has %" PRIu64
			"; the file stays as it is",
			kept->size, path, now->size);
	} else if (kept->size > 0) {
		switch (service_log_continues(log, kept->size, &kept->root, &code)) {
		case PROOF_HOLDS:
			break;
		case PROOF_WRONG:
			verdict_fault(&verdict, VERDICT_WHOLE,
				"another history (a fork): the checkpoint of %" PRIu64
				" entries does not continue that of %" PRIu64 " in %s, which stays as it is",
				now->size, kept->size, path);
			break;
		case PROOF_FAILED:
			return code;
		}
	}
	return verdict_end(&verdict, invocation);
}

static enum exit_code save(
	const struct invocation *invocation, struct service_log *log, const struct trust *trust, const char *path)
{
	struct buffer note;
	struct checkpoint kept;
	enum exit_code code = EXIT_OK;

	buffer_init(&note, NOTE_TEXT_MAX);
	enum file_result result = file_read(path, &note);
	if (result == FILE_FAILED) {
		code = EXIT_FAILED;
	} else if (result == FILE_OK) {
		enum note_result opened = trust_open(trust, (const char *)note.data, note.length, &kept);
		if (opened == NOTE_OK) {
			code = compare(invocation, log, &kept, path);
		} else {
			fprintf(stderr, "needtoknow %s: %s: %s; it stays as it is\n", invocation->command->name, path,
				note_result_text(opened));
			code = EXIT_FAILED;
		}
	}
	buffer_release(&note);
	if (code == EXIT_OK && file_replace(path, log->note.data, log->note.length) != 0)
		code = EXIT_FAILED;
	return code;
}

static void print_note(const struct buffer *note)
{
	const char *at = (const char *)note->data, *end = at + note->length;
	struct text_line line;

	while (text_line_next(&at, end, &line) == 0) {
		char *text = mem_strndup(line.text, line.length);
		output_text(stdout, text);
		putchar('\n');
		mem_free(text);
	}
}

enum exit_code audit_checkpoint_run(const struct invocation *invocation)
{
	const char *path = flag_value(invocation, "save");
	struct service_log log = { 0 };
	struct verdict verdict = { 0 };
	enum note_result result;
	struct trust trust;
	enum exit_code code = trust_read(invocation, false, &trust);

	if (code != EXIT_OK)
		return code;
	code = service_log_open(&log, invocation, &trust, &result);
	if (result != NOTE_OK) {
		verdict_note(&verdict, "the service's checkpoint", result);
		code = verdict_end(&verdict, invocation);
	}
	if (code == EXIT_OK && path != NULL)
		code = save(invocation, &log, &trust, path);
	if (code == EXIT_OK) {
		print_note(&log.note);
		if (trust.count == 0)
			fputs("The signature was not verified: --vkey or NEEDTOKNOW_VKEY names the log's key.\n",
				stderr);
	}
	service_log_close(&log);
	return code;
}
