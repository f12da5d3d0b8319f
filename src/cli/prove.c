#include "cli/prove.h"

#include "base/memory.h"
#include "cli/failure.h"
#include "cli/file.h"
#include "cli/ledger_stream.h"
#include "cli/output.h"
#include "cli/trust.h"
#include "cli/verdict.h"
#include "pure/text_line.h"
#include "pure/tlog_proof.h"

#include <needtoknow/methods.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define ENTRY_MAX 65535

const struct flag audit_prove_flags[] = {
	TRUST_VKEY_FLAG,
	{ "size", "N", "in the log of a published checkpoint of this size [the last]", false },
	{ "out", "FILE", "the proof; the entry is put beside it as *.entry [INDEX.tlog-proof]", false },
	{ 0 },
};

#define SUFFIX ".tlog-proof"

struct proving {
	const struct invocation *invocation;
	struct needtoknow_client *client;
	uint64_t index, size;
	char proof_path[PATH_MAX], entry_path[PATH_MAX];
	struct tlog_proof proof;
	struct buffer note, entry;
	struct checkpoint checkpoint;
};

static enum exit_code read_number(
	const struct invocation *invocation, const char *what, const char *text, uint64_t *out)
{
	if (text == NULL || (text_decimal(text, strlen(text), out) == 0 && *out <= INT64_MAX))
		return EXIT_OK;
	fprintf(stderr, "needtoknow %s: %s: `", invocation->command->name, what);
	output_text(stderr, text);
	fputs("` is not a number\n", stderr);
	return EXIT_USAGE;
}

static enum exit_code name_files(struct proving *proving)
{
	const char *out = flag_value(proving->invocation, "out");
	char name[PATH_MAX];

	if (out == NULL)
		snprintf(name, sizeof name, "%" PRIu64, proving->index);
	else if (snprintf(name, sizeof name, "%s", out) >= (int)sizeof name - (int)sizeof SUFFIX) {
		fprintf(stderr, "needtoknow %s: --out: the name is too long\n", proving->invocation->command->name);
		return EXIT_USAGE;
	}
	size_t length = strlen(name), suffix = strlen(SUFFIX);
	if (length > suffix && strcmp(name + length - suffix, SUFFIX) == 0)
		name[length - suffix] = '\0';
	snprintf(proving->proof_path, sizeof proving->proof_path, "%.*s" SUFFIX, PATH_MAX - 16, name);
	snprintf(proving->entry_path, sizeof proving->entry_path, "%.*s.entry", PATH_MAX - 16, name);
	return EXIT_OK;
}

/* The proof's parts, copied out of the answer. 0, or -1: they cannot be one. */
static int take_proof(struct proving *proving, const Needtoknow__V1__GetInclusionProofResponse *response)
{
	struct tlog_proof *proof = &proving->proof;

	if (response->n_hashes > MERKLE_PROOF_MAX || response->checkpoint == NULL)
		return -1;
	proof->index = proving->index;
	proof->count = response->n_hashes;
	for (size_t i = 0; i < proof->count; i++) {
		if (response->hashes[i].len != MERKLE_HASH_SIZE)
			return -1;
		memcpy(proof->hashes[i].bytes, response->hashes[i].data, MERKLE_HASH_SIZE);
	}
	if (buffer_append(&proving->note, response->checkpoint->note, strlen(response->checkpoint->note)) != 0)
		return -1;
	proof->note = (const char *)proving->note.data;
	proof->note_length = proving->note.length;
	return 0;
}

static int on_entry(void *context, const struct ledger_stream_entry *entry)
{
	struct proving *proving = context;

	if (entry->index == proving->index && entry->body != NULL)
		buffer_append(&proving->entry, entry->body, entry->length);
	return 1;
}

static enum exit_code ask(struct proving *proving)
{
	Needtoknow__V1__GetInclusionProofRequest request = NEEDTOKNOW__V1__GET_INCLUSION_PROOF_REQUEST__INIT;
	const Needtoknow__V1__GetInclusionProofResponse *response;
	struct needtoknow_status status;

	request.index = proving->index;
	request.tree_size = proving->size;
	if (needtoknow_get_inclusion_proof(proving->client, &request, &response, &status) != 0)
		return failure_report(proving->invocation, &status);
	if (take_proof(proving, response) != 0) {
		fprintf(stderr, "needtoknow %s: what the service answers is no proof\n",
			proving->invocation->command->name);
		return EXIT_FAILED;
	}
	if (ledger_stream(proving->client, proving->index, proving->index + 1, on_entry, proving, &status) != 0)
		return failure_report(proving->invocation, &status);
	if (proving->entry.length > 0)
		return EXIT_OK;
	fprintf(stderr,
		"needtoknow %s: the service has no entry %" PRIu64
		" any more: its body is gone, and its leaf alone proves nothing to others\n",
		proving->invocation->command->name, proving->index);
	return EXIT_FAILED;
}

static enum exit_code verify(struct proving *proving, const struct trust *trust)
{
	struct verdict verdict = { 0 };
	struct merkle_hash leaf;
	enum note_result result =
		trust_open(trust, proving->proof.note, proving->proof.note_length, &proving->checkpoint);

	merkle_leaf(proving->entry.data, proving->entry.length, &leaf);
	if (result != NOTE_OK)
		verdict_note(&verdict, "the service's checkpoint", result);
	else if (merkle_verify_inclusion(&leaf, proving->index, proving->checkpoint.size, proving->proof.hashes,
			 proving->proof.count, &proving->checkpoint.root) != 0)
		verdict_fault(&verdict, proving->index,
			"entry %" PRIu64 ": what the service answers does not lead to its checkpoint's root",
			proving->index);
	return verdict_end(&verdict, proving->invocation);
}

static enum exit_code write_files(const struct proving *proving)
{
	char *text = tlog_proof_text(&proving->proof);
	enum exit_code code = EXIT_FAILED;

	if (file_replace(proving->entry_path, proving->entry.data, proving->entry.length) == 0 &&
		file_replace(proving->proof_path, text, strlen(text)) == 0)
		code = EXIT_OK;
	mem_free(text);
	return code;
}

static enum exit_code prove(struct proving *proving, const struct trust *trust)
{
	enum exit_code code = name_files(proving);

	if (code != EXIT_OK)
		return code;
	proving->client = failure_connect(proving->invocation, &code);
	if (proving->client == NULL)
		return code;
	code = ask(proving);
	if (code == EXIT_OK)
		code = verify(proving, trust);
	if (code == EXIT_OK)
		code = write_files(proving);
	if (code != EXIT_OK)
		return code;
	output_line(stdout, "proof", proving->proof_path);
	output_line(stdout, "entry", proving->entry_path);
	verdict_print_checkpoint(&proving->checkpoint);
	if (trust->count == 0)
		fputs("The signature was not verified: --vkey or NEEDTOKNOW_VKEY names the log's key.\n", stderr);
	return EXIT_OK;
}

enum exit_code audit_prove_run(const struct invocation *invocation)
{
	struct proving *proving = mem_calloc(1, sizeof *proving);
	struct trust trust;
	enum exit_code code = trust_read(invocation, false, &trust);

	proving->invocation = invocation;
	buffer_init(&proving->note, NOTE_TEXT_MAX);
	buffer_init(&proving->entry, ENTRY_MAX);
	if (code == EXIT_OK)
		code = read_number(invocation, "INDEX", invocation->operand, &proving->index);
	if (code == EXIT_OK)
		code = read_number(invocation, "--size", flag_value(invocation, "size"), &proving->size);
	if (code == EXIT_OK)
		code = prove(proving, &trust);
	needtoknow_client_free(proving->client);
	buffer_release(&proving->note);
	buffer_release(&proving->entry);
	mem_free(proving);
	return code;
}
