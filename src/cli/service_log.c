#include "cli/service_log.h"

#include "cli/failure.h"
#include "pure/merkle_proof.h"

#include <needtoknow/methods.h>

#include <stdio.h>
#include <string.h>

enum exit_code service_log_open(struct service_log *log, const struct invocation *invocation, const struct trust *trust,
	enum note_result *result)
{
	Needtoknow__V1__GetCheckpointRequest request = NEEDTOKNOW__V1__GET_CHECKPOINT_REQUEST__INIT;
	const Needtoknow__V1__GetCheckpointResponse *response;
	struct needtoknow_status status;
	enum exit_code code;

	*log = (struct service_log){ .invocation = invocation };
	*result = NOTE_OK;
	buffer_init(&log->note, NOTE_TEXT_MAX);
	log->client = failure_connect(invocation, &code);
	if (log->client == NULL)
		return code;
	if (needtoknow_get_checkpoint(log->client, &request, &response, &status) != 0)
		return failure_report(invocation, &status);
	size_t length = strlen(response->note);
	if (buffer_append(&log->note, response->note, length) != 0)
		*result = NOTE_MALFORMED;
	else
		*result = trust_open(trust, response->note, length, &log->checkpoint);
	return *result == NOTE_OK ? EXIT_OK : EXIT_FAILED;
}

void service_log_close(struct service_log *log)
{
	needtoknow_client_free(log->client);
	buffer_release(&log->note);
}

enum proof_result service_log_continues(
	struct service_log *log, uint64_t size, const struct merkle_hash *root, enum exit_code *code)
{
	Needtoknow__V1__GetConsistencyProofRequest request = NEEDTOKNOW__V1__GET_CONSISTENCY_PROOF_REQUEST__INIT;
	const Needtoknow__V1__GetConsistencyProofResponse *response;
	const struct checkpoint *now = &log->checkpoint;
	struct merkle_hash hashes[MERKLE_PROOF_MAX];
	struct needtoknow_status status;

	if (size >= now->size) /* nothing to prove */
		return size == now->size && memcmp(root, &now->root, sizeof *root) == 0 ? PROOF_HOLDS : PROOF_WRONG;
	request.from_size = size;
	request.to_size = now->size;
	if (needtoknow_get_consistency_proof(log->client, &request, &response, &status) != 0) {
		*code = failure_report(log->invocation, &status);
		return PROOF_FAILED;
	}
	if (response->n_hashes > MERKLE_PROOF_MAX)
		return PROOF_WRONG;
	for (size_t i = 0; i < response->n_hashes; i++) {
		if (response->hashes[i].len != MERKLE_HASH_SIZE)
			return PROOF_WRONG;
		memcpy(hashes[i].bytes, response->hashes[i].data, MERKLE_HASH_SIZE);
	}
	return merkle_verify_consistency(size, root, now->size, &now->root, hashes, response->n_hashes) == 0
		? PROOF_HOLDS
		: PROOF_WRONG;
}
