#include "base/memory.h"
#include "daemon/commands.h"
#include "daemon/key_file.h"

#include <stdio.h>

static int print_verifier(const struct note_signer *signer)
{
	char text[NOTE_KEY_TEXT_MAX];
	note_verifier_text(&signer->public, text);
	return puts(text) >= 0 && fflush(stdout) == 0 ? EXIT_CODE_DONE : EXIT_CODE_FAILED;
}

int command_keygen(const char *const *values)
{
	char error[512];
	struct note_signer signer;
	int status = EXIT_CODE_FAILED;
	if (note_signer_generate(&signer, values[KEYGEN_NAME]) != 0)
		fprintf(stderr,
			"needtoknowd keygen: `%s` cannot be a ledger's name: it has at most %d bytes, and no space, "
			"`+` nor control character\n",
			values[KEYGEN_NAME], NOTE_KEY_NAME_MAX);
	else if (key_file_write(values[KEYGEN_OUT], &signer, error, sizeof error) != 0)
		fprintf(stderr, "needtoknowd keygen: %s\n", error);
	else
		status = print_verifier(&signer);
	mem_wipe(&signer, sizeof signer);
	return status;
}

int command_vkey(const char *const *values)
{
	char error[512];
	struct note_signer signer;
	if (key_file_read(values[VKEY_KEY], &signer, error, sizeof error) != 0) {
		fprintf(stderr, "needtoknowd vkey: %s\n", error);
		return EXIT_CODE_FAILED;
	}
	int status = print_verifier(&signer);
	mem_wipe(&signer, sizeof signer);
	return status;
}
