#include "cli/trust.h"

#include "cli/file.h"
#include "cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE_MAX 8192

/* What was given is not repeated: it may be a private key, taken for the other by mistake. */
static enum exit_code bad(const struct invocation *invocation, const char *given, const char *why)
{
	static const char private_key[] = "PRIVATE+KEY+";

	if (strncmp(given, private_key, sizeof private_key - 1) == 0)
		why = "it is the private key, which stays with the service; `needtoknowd keygen` printed the other";
	fprintf(stderr, "needtoknow %s: --vkey: %s\n", invocation->command->name, why);
	return EXIT_USAGE;
}

static enum exit_code add_key(const struct invocation *invocation, const char *text, struct trust *out)
{
	if (out->count == NOTE_KEYS_MAX)
		return bad(invocation, text, "these are too many keys");
	if (note_verifier_parse(&out->keys[out->count], text) != 0)
		return bad(invocation, text,
			"a line of the file is no verifier key: name+hash+base64, as `needtoknowd keygen` prints it");
	out->count++;
	return EXIT_OK;
}

/* A key a line; `#` begins a remark. */
static enum exit_code read_keys(const struct invocation *invocation, const char *path, struct trust *out)
{
	struct buffer text;
	enum exit_code code = EXIT_OK;

	buffer_init(&text, KEY_FILE_MAX);
	enum file_result result = file_read(path, &text);
	if (result != FILE_OK) {
		code = result == FILE_ABSENT
			? bad(invocation, path, "it is neither a verifier key nor a file that is there")
			: EXIT_USAGE;
		goto out;
	}
	if (buffer_append_u8(&text, '\0') != 0)
		text.data[text.length - 1] = '\0';
	for (char *line = (char *)text.data; *line != '\0' && code == EXIT_OK;) {
		size_t length = strcspn(line, "\r\n");
		char *next = line + length + strspn(line + length, "\r\n");
		line[length] = '\0';
		if (length > 0 && line[0] != '#')
			code = add_key(invocation, line, out);
		line = next;
	}
	if (code == EXIT_OK && out->count == 0)
		code = bad(invocation, path, "the file holds no verifier key");
out:
	buffer_release(&text);
	return code;
}

enum exit_code trust_read(const struct invocation *invocation, bool required, struct trust *out)
{
	const char *given = flag_value(invocation, "vkey");
	struct note_verifier key;

	out->count = 0;
	if (given == NULL)
		given = getenv("NEEDTOKNOW_VKEY");
	if (given == NULL || given[0] == '\0') {
		if (!required)
			return EXIT_OK;
		fprintf(stderr,
			"needtoknow %s: whose signature is to be believed? Give --vkey, or set NEEDTOKNOW_VKEY\n",
			invocation->command->name);
		return EXIT_USAGE;
	}
	if (note_verifier_parse(&key, given) == 0)
		return add_key(invocation, given, out);
	return read_keys(invocation, given, out);
}

enum note_result trust_open(const struct trust *trust, const char *note, size_t length, struct checkpoint *out)
{
	if (trust->count > 0)
		return checkpoint_open(note, length, trust->keys, trust->count, out);
	return checkpoint_read(note, length, out) == 0 ? NOTE_OK : NOTE_MALFORMED;
}

enum exit_code trust_read_checkpoint(const struct invocation *invocation, const struct trust *trust, const char *path,
	struct buffer *note, struct checkpoint *out)
{
	buffer_init(note, NOTE_TEXT_MAX);
	enum file_result result = file_read(path, note);
	if (result != FILE_OK) {
		if (result == FILE_ABSENT)
			fprintf(stderr, "needtoknow %s: %s: there is no such file\n", invocation->command->name, path);
		return EXIT_USAGE;
	}
	enum note_result verdict = trust_open(trust, (const char *)note->data, note->length, out);
	if (verdict == NOTE_OK)
		return EXIT_OK;
	fprintf(stderr, "needtoknow %s: %s: %s\n", invocation->command->name, path, note_result_text(verdict));
	return EXIT_FAILED;
}
