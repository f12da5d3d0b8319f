#include "cli/verify.h"

#include "cli/file.h"
#include "cli/output.h"
#include "cli/verdict.h"
#include "pure/tlog_proof.h"

#include <inttypes.h>
#include <stdio.h>

#define PROOF_FILE_MAX (NOTE_TEXT_MAX + 65536)
#define ENTRY_FILE_MAX (16 * 1024 * 1024)

static enum exit_code read_needed(const struct invocation *invocation, const char *path, struct buffer *out)
{
	enum file_result result = file_read(path, out);

	if (result == FILE_ABSENT)
		fprintf(stderr, "needtoknow %s: %s: there is no such file\n", invocation->command->name, path);
	return result == FILE_OK ? EXIT_OK : EXIT_USAGE;
}

static void judge(
	const struct tlog_proof *proof, const struct buffer *entry, const struct trust *trust, struct verdict *verdict)
{
	struct checkpoint checkpoint;
	struct merkle_hash leaf;
	enum note_result result = trust_open(trust, proof->note, proof->note_length, &checkpoint);

	if (result != NOTE_OK) {
		verdict_note(verdict, "the checkpoint in the proof", result);
		return;
	}
	merkle_leaf(entry->length > 0 ? entry->data : (const uint8_t *)"", entry->length, &leaf);
	if (proof->index >= checkpoint.size) {
		verdict_fault(verdict, proof->index, "entry %" PRIu64 ": the log has %" PRIu64 " entries", proof->index,
			checkpoint.size);
	} else if (merkle_verify_inclusion(
			   &leaf, proof->index, checkpoint.size, proof->hashes, proof->count, &checkpoint.root) != 0) {
		verdict_fault(verdict, proof->index,
			"entry %" PRIu64
			": it does not lead to the checkpoint's root: the entry was changed, or the proof is of "
			"another",
			proof->index);
	} else {
		verdict_print_checkpoint(&checkpoint);
		printf("  %-*s %" PRIu64 " is in the log, as it is here\n", OUTPUT_KEY_WIDTH, "entry", proof->index);
	}
}

enum exit_code verify_proof(
	const struct invocation *invocation, const char *proof, const char *entry, const struct trust *trust)
{
	struct buffer text, bytes;
	struct tlog_proof parsed;
	struct verdict verdict = { 0 };

	buffer_init(&text, PROOF_FILE_MAX);
	buffer_init(&bytes, ENTRY_FILE_MAX);
	enum exit_code code = read_needed(invocation, proof, &text);
	if (code == EXIT_OK)
		code = read_needed(invocation, entry, &bytes);
	if (code != EXIT_OK)
		goto out;
	if (text.length == 0 || tlog_proof_parse((const char *)text.data, text.length, &parsed) != 0)
		verdict_fault(&verdict, VERDICT_WHOLE, "%s is not a C2SP tlog-proof file", proof);
	else
		judge(&parsed, &bytes, trust, &verdict);
	code = verdict_end(&verdict, invocation);
out:
	buffer_release(&text);
	buffer_release(&bytes);
	return code;
}
