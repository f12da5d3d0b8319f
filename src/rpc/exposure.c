#include "pure/secret.h"
#include "pure/time.h"
#include "rpc/audited.h"
#include "rpc/methods.h"
#include "rpc/released.h"
#include "rpc/request.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "sql.h"

#include <needtoknow/v1/audit.pb-c.h>

#include <string.h>

/*
 * GetExposure: GDPR art. 33(3)(a), what a recipient, or one device of it, held in a time: from each sending until it
 * said that it had deleted it. Walks the recipient's disclosures in the order of sharing; a page that finds little in
 * so many gives what it has, and a token to go on from.
 */
#define ASK_STEP 3 /* exposure_ask, in the table below */
#define READINGS_MAX 16
#define READ_AT_ONCE_MIN 32
#define READ_AT_ONCE_MAX 512
/* Beyond this a page ends early. */
#define PAGE_BYTES_MAX ((size_t)2 << 20)
#define FRAMING 96 /* bytes of a message around its texts, and its numbers */

struct exposure {
	struct audited audited;
	const char *device; /* NULL: any */
	int64_t held_from, held_until; /* INT64_MIN, INT64_MAX: without end */
	int32_t page_size, at_once;
	uint8_t scope[32]; /* a digest of what is asked: page tokens are bound to it */
	struct {
		int64_t shared_index; /* of the last disclosure that was looked at */
		int64_t asked_at; /* when it was last recorded that this listing is being read */
	} position;
	unsigned readings;
	int32_t looked_at; /* disclosures in the reading under way */
	bool full, over;
	struct released_fields *fields;

	Needtoknow__V1__ExposedDisclosure **found;
	Needtoknow__V1__ExposedDisclosure
		*current; /* that of position.shared_index; NULL: nothing of it was held yet */
	size_t count, bytes;
};

/* ---- decode ---- */

static bool decode_times(
	struct call *call, const Needtoknow__V1__GetExposureRequest *request, struct exposure *exposure)
{
	if (!request_time(call, "held_from", request->held_from, &exposure->held_from) ||
		!request_time(call, "held_until", request->held_until, &exposure->held_until))
		return false;
	if (exposure->held_until == TIME_NONE)
		exposure->held_until = INT64_MAX;
	if (exposure->held_from > exposure->held_until)
		return request_refuse(call, "BAD_WINDOW", "held_until", "held_from must not be after held_until");
	/* No moment lies in it. */
	exposure->over = exposure->held_from == exposure->held_until;
	return true;
}

static void note_shape(struct exposure *exposure, const Needtoknow__V1__GetExposureRequest *request)
{
	struct audited *audited = &exposure->audited;
	audited->recipient_id = audited_given(audited, "recipient_id", request->recipient_id);
	exposure->device = audited_given(audited, "device", request->device);
	audited_given(audited, "held_from", request->held_from ? "given" : NULL);
	audited_given(audited, "held_until", request->held_until ? "given" : NULL);
}

static void digest(struct exposure *exposure)
{
	static const uint8_t key[32]; /* a digest, not a secret: the page token's own key binds it */
	const char *device = exposure->device ? exposure->device : "";
	struct secret_field fields[] = { { exposure->audited.recipient_id, strlen(exposure->audited.recipient_id) },
		{ device, strlen(device) }, { &exposure->held_from, sizeof exposure->held_from },
		{ &exposure->held_until, sizeof exposure->held_until } };
	secret_hmac(key, fields, sizeof fields / sizeof *fields, exposure->scope);
}

static enum step_result exposure_decode(struct call *call)
{
	const Needtoknow__V1__GetExposureRequest *request = (const Needtoknow__V1__GetExposureRequest *)call->request;
	struct exposure *exposure = call_alloc(call, sizeof *exposure);
	bool found;
	if (!exposure)
		return STEP_NEXT;
	call->state = exposure;
	if (!request_identifier(call, "recipient_id", request->recipient_id) ||
		(*request->device && !request_identifier(call, "device", request->device)) ||
		!request_page_size(call, request->page_size, &exposure->page_size) ||
		!decode_times(call, request, exposure))
		return STEP_DONE;
	note_shape(exposure, request);
	digest(exposure);
	exposure->position.shared_index = -1;
	if (!request_page_token(call, request->page_token, exposure->scope, sizeof exposure->scope, &exposure->position,
		    sizeof exposure->position, &found))
		return STEP_DONE;
	audited_begin_page(call, &exposure->audited, found, &exposure->position.asked_at);
	exposure->at_once = exposure->page_size + 1;
	if (exposure->at_once < READ_AT_ONCE_MIN)
		exposure->at_once = READ_AT_ONCE_MIN;
	if (exposure->at_once > READ_AT_ONCE_MAX)
		exposure->at_once = READ_AT_ONCE_MAX;
	exposure->found = call_alloc(call, (size_t)exposure->page_size * sizeof *exposure->found);
	return STEP_NEXT;
}

/* ---- read ---- */

/* The row's columns. */
enum {
	SHARED_INDEX = 1,
	LINES,
	IN_TIME,
	DISCLOSURE_ID,
	SUBJECT_ID,
	SERVICE,
	POLICY_NUMBER,
	PSEUDONYM,
	RELEASE,
	LEFT_OUT,
	DEVICE,
	SENT_AT,
	LEDGER_INDEX,
	DELETED_AT,
	GROUND,
};

static Needtoknow__V1__ExposedDisclosure *disclosure_found(
	struct call *call, const PGresult *result, int row, const struct policy_service *service)
{
	Needtoknow__V1__ExposedDisclosure *message = call_alloc(call, sizeof *message);
	uint8_t id[16], pseudonym[16];
	if (!message)
		return NULL;
	needtoknow__v1__exposed_disclosure__init(message);
	row_bytes(result, row, DISCLOSURE_ID, id, sizeof id);
	message->disclosure_id = uuid_text(call, id);
	if (!row_bytes(result, row, PSEUDONYM, pseudonym, sizeof pseudonym)) {
		message->subject_pseudonym.data = arena_memdup(call->arena, pseudonym, sizeof pseudonym);
		message->subject_pseudonym.len = message->subject_pseudonym.data ? sizeof pseudonym : 0;
	}
	if (!row_is_null(result, row, SUBJECT_ID))
		message->subject_id = (char *)row_text(result, row, SUBJECT_ID, call);
	message->service = (char *)service->name;
	message->purpose = (char *)service->purpose;
	message->releases = call_alloc(call, (size_t)row_int(result, row, LINES) * sizeof *message->releases);
	return call->failed ? NULL : message;
}

static Needtoknow__V1__ExposedRelease *release_found(struct call *call, struct exposure *exposure,
	const PGresult *result, int row, const struct policy_release *release)
{
	Needtoknow__V1__ExposedRelease *message = call_alloc(call, sizeof *message);
	const struct released_fields *fields =
		released_fields(call, &exposure->fields, release, (uint64_t)row_int(result, row, LEFT_OUT));
	if (!message || !fields)
		return NULL;
	needtoknow__v1__exposed_release__init(message);
	message->name = (char *)release->name;
	message->fields = fields->names;
	message->n_fields = fields->count;
	message->device = (char *)row_text(result, row, DEVICE, call);
	message->held_from = timestamp_message(call, row_time(result, row, SENT_AT));
	message->held_until = timestamp_message(call, row_time(result, row, DELETED_AT));
	if (!row_is_null(result, row, GROUND))
		message->retained_ground = (char *)row_text(result, row, GROUND, call);
	message->ledger_index = (uint64_t)row_int(result, row, LEDGER_INDEX);
	exposure->bytes += fields->bytes + (size_t)PQgetlength(result, row, GROUND) + FRAMING;
	return call->failed ? NULL : message;
}

static void keep(struct call *call, struct exposure *exposure, const PGresult *result, int row)
{
	const struct policy_service *service =
		released_service(call, (int)row_int(result, row, POLICY_NUMBER), row_text(result, row, SERVICE, call));
	int64_t number = row_int(result, row, RELEASE);
	if (!service || number < 0 || (size_t)number >= service->release_count)
		return;
	if (!exposure->current) {
		exposure->current = disclosure_found(call, result, row, service);
		if (!exposure->current)
			return;
		exposure->found[exposure->count++] = exposure->current;
		exposure->bytes += FRAMING + (size_t)PQgetlength(result, row, SUBJECT_ID);
	}
	Needtoknow__V1__ExposedRelease *release =
		release_found(call, exposure, result, row, &service->releases[number]);
	if (release)
		exposure->current->releases[exposure->current->n_releases++] = release;
}

static void exposure_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct exposure *exposure = target;
	int64_t shared_index = row_int(result, row, SHARED_INDEX);
	if (exposure->full || exposure->over || call->failed)
		return;
	if (shared_index != exposure->position.shared_index) {
		exposure->full = exposure->count == (size_t)exposure->page_size || exposure->bytes > PAGE_BYTES_MAX;
		/* What comes later was shared later still. */
		exposure->over = !row_bool(result, row, IN_TIME);
		if (exposure->full || exposure->over)
			return;
		exposure->position.shared_index = shared_index;
		exposure->current = NULL;
		exposure->looked_at++;
	}
	int64_t deleted_at = row_time(result, row, DELETED_AT);
	bool deleted_before = deleted_at != TIME_NONE && deleted_at <= exposure->held_from;
	if (!row_is_null(result, row, RELEASE) && !deleted_before)
		keep(call, exposure, result, row);
}

static const struct read_kind exposures_read = {
	.statement = &sql_exposures,
	.from = READ_AUDIT,
	.types = { PG_TEXT, PG_INT8, PG_INT4, PG_TEXT, PG_TIMESTAMPTZ },
	.row = exposure_row,
};

static enum step_result exposure_ask(struct call *call)
{
	struct exposure *exposure = call->state;
	if (exposure->audited.first_page && !exposure->audited.recipient_known)
		return call_refuse(call,
			&(struct status){ .code = GRPC_NOT_FOUND,
				.reason = "UNKNOWN_RECIPIENT",
				.message = "there is no recipient of that id" });
	if (exposure->over)
		return STEP_NEXT;
	exposure->looked_at = 0;
	batch_read(call, &exposures_read, exposure,
		(struct cell[]){ cell_text(exposure->audited.recipient_id),
			cell_number(exposure->position.shared_index), cell_number(exposure->at_once),
			cell_text(exposure->device), cell_number(exposure->held_until) });
	return STEP_NEXT;
}

static enum step_result exposure_gather(struct call *call)
{
	struct exposure *exposure = call->state;
	if (call->awaited)
		return STEP_WAIT;
	exposure->over |= !exposure->full && exposure->looked_at < exposure->at_once;
	if (!exposure->full && !exposure->over && ++exposure->readings < READINGS_MAX)
		call->step = ASK_STEP;
	return STEP_NEXT;
}

static enum step_result exposure_reply(struct call *call)
{
	const struct exposure *exposure = call->state;
	Needtoknow__V1__GetExposureResponse response = NEEDTOKNOW__V1__GET_EXPOSURE_RESPONSE__INIT;
	response.disclosures = exposure->found;
	response.n_disclosures = exposure->count;
	if (!exposure->over)
		response.next_page_token = reply_page_token(
			call, exposure->scope, sizeof exposure->scope, &exposure->position, sizeof exposure->position);
	return call->failed
		? STEP_NEXT
		: audited_reply(call, &response.base, "CALL_TOO_LARGE",
			  "one disclosure was sent to more devices than one answer can hold; ask for one device");
}

const struct method audit_get_exposure = {
	.path = "/needtoknow.v1.AuditService/GetExposure",
	.role = ROLE_AUDITOR,
	.kind = SERVER_METHOD_UNARY,
	.input = &needtoknow__v1__get_exposure_request__descriptor,
	.steps = { exposure_decode, audited_ask, audited_commit, exposure_ask, exposure_gather, exposure_reply },
	.again = 1,
	.board = audited_board,
	.train_class = TRAIN_SHARE,
};
