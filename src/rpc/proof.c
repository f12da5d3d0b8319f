#include "rpc/methods.h"
#include "rpc/request.h"
#include "service/service.h"
#include "service/signer.h"
#include "service/tree.h"
#include "sql.h"

#include <needtoknow/v1/audit.pb-c.h>

#include <string.h>

/*
 * GetCheckpoint, GetInclusionProof, GetConsistencyProof: what verifies the ledger without us. They tell nothing of
 * anybody, so they are no entries. Two round trips: the checkpoint, then the nodes that the proof is made of.
 */
struct proof {
	uint64_t asked; /* the size up to which a checkpoint is wanted */
	uint64_t size; /* of the checkpoint that was found; 0: none */
	uint8_t root[MERKLE_HASH_SIZE];
	const char *note;
	uint64_t tiled;
	struct tree_reading reading;
};

static enum step_result proof_refuse(struct call *call, enum grpc_code code, const char *reason, const char *message)
{
	return call_refuse(call, &(struct status){ .code = code, .reason = reason, .message = message });
}

static enum step_result no_checkpoint(struct call *call)
{
	return proof_refuse(call, GRPC_NOT_FOUND, "NO_CHECKPOINT",
		"no checkpoint of that size was published; GetCheckpoint tells the last one's");
}

/* ---- the checkpoint ---- */

static void checkpoint_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct proof *proof = target;
	proof->note = row_text(result, row, 3, call);
	proof->tiled = (uint64_t)row_int(result, row, 4) * TILE_WIDTH;
	if (proof->note && !row_bytes(result, row, 2, proof->root, sizeof proof->root))
		proof->size = (uint64_t)row_int(result, row, 1);
}

static const struct read_kind checkpoint_upto = {
	.statement = &sql_checkpoint_upto,
	.from = READ_AUDIT,
	.types = { PG_INT8 },
	.row = checkpoint_row,
};

/* Of exactly so many entries, if there is one; 0: the last. */
static enum step_result ask_checkpoint(struct call *call, uint64_t size)
{
	struct proof *proof = call_alloc(call, sizeof *proof);
	if (!proof)
		return STEP_NEXT;
	call->state = proof;
	proof->asked = size && size < INT64_MAX ? size : INT64_MAX;
	batch_read(call, &checkpoint_upto, proof, (struct cell[]){ cell_number((int64_t)proof->asked) });
	return STEP_NEXT;
}

static void fill_checkpoint(struct proof *proof, Needtoknow__V1__GetCheckpointResponse *out)
{
	needtoknow__v1__get_checkpoint_response__init(out);
	out->note = (char *)proof->note;
	out->size = proof->size;
	out->root_hash.data = proof->root;
	out->root_hash.len = sizeof proof->root;
}

static enum step_result checkpoint_ask(struct call *call)
{
	const char *why = signer_why(service_signer(call->service));
	if (*why)
		return proof_refuse(call, GRPC_FAILED_PRECONDITION, "SIGNING_STOPPED", why);
	return ask_checkpoint(call, 0);
}

static enum step_result checkpoint_reply(struct call *call)
{
	struct proof *proof = call->state;
	Needtoknow__V1__GetCheckpointResponse response;
	if (call->awaited)
		return STEP_WAIT;
	if (!proof->size)
		return no_checkpoint(call);
	fill_checkpoint(proof, &response);
	return call_reply(call, &response.base);
}

const struct method audit_get_checkpoint = {
	.path = "/needtoknow.v1.AuditService/GetCheckpoint",
	.role = ROLE_AUDITOR,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__get_checkpoint_request__descriptor,
	.steps = { checkpoint_ask, checkpoint_reply },
};

/* ---- proofs ---- */

/* The hashes as the message has them; NULL: the call has failed. */
static ProtobufCBinaryData *list_hashes(struct call *call, const struct merkle_hash *hashes, size_t count)
{
	ProtobufCBinaryData *list = call_alloc(call, (count + 1) * sizeof *list);
	struct merkle_hash *copies = call_alloc(call, (count + 1) * sizeof *copies);
	if (!list || !copies)
		return NULL;
	memcpy(copies, hashes, count * sizeof *copies);
	for (size_t i = 0; i < count; i++)
		list[i] = (ProtobufCBinaryData){ .len = MERKLE_HASH_SIZE, .data = copies[i].bytes };
	return list;
}

static enum step_result tree_incomplete(struct call *call)
{
	return proof_refuse(call, GRPC_DATA_LOSS, "TREE_INCOMPLETE",
		"the database does not have all of the tree's hashes that this proof is made of");
}

static enum step_result inclusion_ask(struct call *call)
{
	const Needtoknow__V1__GetInclusionProofRequest *request =
		(const Needtoknow__V1__GetInclusionProofRequest *)call->request;
	return ask_checkpoint(call, request->tree_size);
}

static enum step_result inclusion_ask_tree(struct call *call)
{
	const Needtoknow__V1__GetInclusionProofRequest *request =
		(const Needtoknow__V1__GetInclusionProofRequest *)call->request;
	struct proof *proof = call->state;
	struct merkle_plan *plan = &proof->reading.plan;
	if (call->awaited)
		return STEP_WAIT;
	if (!proof->size || (request->tree_size && request->tree_size != proof->size))
		return no_checkpoint(call);
	if (merkle_inclusion_plan(request->index, proof->size, plan) != 0)
		return proof_refuse(
			call, GRPC_NOT_FOUND, "NO_ENTRY", "the tree of that size has no entry of that index");
	/* The leaf itself rides behind. */
	plan->nodes[plan->count++] = (struct merkle_node_id){ .height = 0, .index = request->index };
	tree_read(call, TREE_AUDIT, &proof->reading, proof->tiled);
	return STEP_NEXT;
}

static enum step_result inclusion_reply(struct call *call)
{
	struct proof *proof = call->state;
	Needtoknow__V1__GetInclusionProofResponse response = NEEDTOKNOW__V1__GET_INCLUSION_PROOF_RESPONSE__INIT;
	Needtoknow__V1__GetCheckpointResponse checkpoint;
	struct merkle_hash hashes[MERKLE_PROOF_MAX + 1];
	size_t count;
	if (call->awaited)
		return STEP_WAIT;
	if (tree_join(&proof->reading, hashes, &count) != 0)
		return tree_incomplete(call);
	fill_checkpoint(proof, &checkpoint);
	response.checkpoint = &checkpoint;
	response.leaf_hash = (ProtobufCBinaryData){ .len = MERKLE_HASH_SIZE, .data = hashes[count - 1].bytes };
	response.n_hashes = count - 1;
	response.hashes = list_hashes(call, hashes, count - 1);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method audit_get_inclusion_proof = {
	.path = "/needtoknow.v1.AuditService/GetInclusionProof",
	.role = ROLE_AUDITOR,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__get_inclusion_proof_request__descriptor,
	.steps = { inclusion_ask, inclusion_ask_tree, inclusion_reply },
};

static enum step_result consistency_ask(struct call *call)
{
	const Needtoknow__V1__GetConsistencyProofRequest *request =
		(const Needtoknow__V1__GetConsistencyProofRequest *)call->request;
	if (!request->from_size || (request->to_size && request->from_size > request->to_size)) {
		request_refuse(call, "BAD_SIZE", "from_size", "from_size must be 1 to to_size");
		return STEP_DONE;
	}
	return ask_checkpoint(call, 0);
}

static enum step_result consistency_ask_tree(struct call *call)
{
	const Needtoknow__V1__GetConsistencyProofRequest *request =
		(const Needtoknow__V1__GetConsistencyProofRequest *)call->request;
	struct proof *proof = call->state;
	if (call->awaited)
		return STEP_WAIT;
	uint64_t to = request->to_size ? request->to_size : proof->size;
	if (!proof->size || to > proof->size)
		return no_checkpoint(call);
	if (merkle_consistency_plan(request->from_size, to, &proof->reading.plan) != 0) {
		request_refuse(call, "BAD_SIZE", "from_size", "from_size must be 1 to the last checkpoint's size");
		return STEP_DONE;
	}
	tree_read(call, TREE_AUDIT, &proof->reading, proof->tiled);
	return STEP_NEXT;
}

static enum step_result consistency_reply(struct call *call)
{
	struct proof *proof = call->state;
	Needtoknow__V1__GetConsistencyProofResponse response = NEEDTOKNOW__V1__GET_CONSISTENCY_PROOF_RESPONSE__INIT;
	struct merkle_hash hashes[MERKLE_PROOF_MAX];
	size_t count;
	if (call->awaited)
		return STEP_WAIT;
	if (tree_join(&proof->reading, hashes, &count) != 0)
		return tree_incomplete(call);
	response.n_hashes = count;
	response.hashes = list_hashes(call, hashes, count);
	return call->failed ? STEP_NEXT : call_reply(call, &response.base);
}

const struct method audit_get_consistency_proof = {
	.path = "/needtoknow.v1.AuditService/GetConsistencyProof",
	.role = ROLE_AUDITOR,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__get_consistency_proof_request__descriptor,
	.steps = { consistency_ask, consistency_ask_tree, consistency_reply },
};
