#include "service/suppression.h"

#include "base/memory.h"
#include "pure/secret.h"
#include "pure/time.h"
#include "service/batch.h"
#include "service/company.h"
#include "service/departure.h"
#include "service/service.h"
#include "service/train.h"
#include "sql.h"

#include <assert.h>
#include <string.h>

/* Subjects whose contacts are asked for at once. */
#define PAGE 32
/* What another worker's clients said waits no longer than this. */
#define INTERVAL (2 * TIME_SECOND)
/* A company's database that did not answer is left alone for so long. */
#define RETRY_INTERVAL (5 * TIME_SECOND)

struct suppression {
	struct service *service;
	struct loop_timer timer;
	bool looking, again;
	unsigned securing; /* calls on their way */
	bool failed; /* one of them */
	unsigned found; /* on the last page */
	char *after; /* the last subject of it */
};

/* ---- contacts ---- */

static void contact_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct contacts *contacts = target;
	if (PQgetisnull(result, row, 0))
		return;
	if (contacts->count == contacts->size) {
		size_t size = contacts->size ? contacts->size * 2 : 8;
		uint8_t(*larger)[32] = call_alloc(call, size * sizeof *larger);
		if (!larger)
			return;
		if (contacts->count)
			memcpy(larger, contacts->hashes, contacts->count * sizeof *larger);
		contacts->hashes = larger;
		contacts->size = size;
	}
	struct secret_field contact = { PQgetvalue(result, row, 0), (size_t)PQgetlength(result, row, 0) };
	secret_hmac(service_secret(call->service, SECRET_CONTACT), &contact, 1, contacts->hashes[contacts->count++]);
}

void contacts_ask(struct call *call, const char *subject_id, struct contacts *out)
{
	company_ask(call,
		&(struct company_asking){ .function = COMPANY_CONTACTS,
			.parameters = (struct parameter[]){ { subject_id, strlen(subject_id) } },
			.row = contact_row,
			.target = out });
}

/* ---- rights, of a subject or of a contact ---- */

static void right_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct suppressed *out = target;
	int kind = (int)row_int(result, row, 1);
	const char *purpose = row_text(result, row, 2, call);
	for (size_t i = 0; i < out->count; i++)
		if (out->all[i].kind == kind && !strcmp(out->all[i].purpose, purpose))
			return;
	if (out->count == out->size) {
		size_t size = out->size ? out->size * 2 : 8;
		struct suppressed_right *larger = call_alloc(call, size * sizeof *larger);
		if (!larger)
			return;
		if (out->count)
			memcpy(larger, out->all, out->count * sizeof *larger);
		out->all = larger;
		out->size = size;
	}
	out->all[out->count++] = (struct suppressed_right){ kind, purpose };
}

static const struct read_kind suppressed_by_contact = {
	.statement = &sql_suppressed_by_contact,
	.from = READ_STATE,
	.types = { PG_BYTEA },
	.row = right_row,
};

void suppressed_ask(struct call *call, const struct contacts *contacts, struct suppressed *out)
{
	for (size_t i = 0; i < contacts->count; i++)
		batch_read(call, &suppressed_by_contact, out, (struct cell[]){ cell_bytes(contacts->hashes[i], 32) });
}

/* ---- one subject ---- */

struct secure {
	struct securing *securing; /* NULL: nobody waits for it */
	struct suppression *suppression; /* whose page it is of; or NULL */
	const char *subject_id;
	bool again; /* also of what was suppressed before: by the contacts that they have now */
	struct suppressed rights;
	struct contacts contacts;
	bool asked;
};

static const struct read_kind rights_without_contacts = {
	.statement = &sql_rights_without_contacts,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_BOOL },
	.row = right_row,
};

static enum step_result secure_ask(struct call *call)
{
	struct secure *secure = call->state;
	call_disregard(call);
	/* Whoever lifts it meanwhile has this read again. */
	call_key(call, KEY_SUBJECT, secure->subject_id, strlen(secure->subject_id), KEY_SHARED);
	secure->rights.count = 0;
	secure->asked = false;
	batch_read(call, &rights_without_contacts, &secure->rights,
		(struct cell[]){ cell_text(secure->subject_id), cell_number(secure->again) });
	return STEP_NEXT;
}

static enum step_result secure_gather(struct call *call)
{
	struct secure *secure = call->state;
	if (call->awaited)
		return STEP_WAIT;
	if (!secure->rights.count || secure->asked)
		return STEP_NEXT;
	secure->asked = true;
	secure->contacts.count = 0;
	contacts_ask(call, secure->subject_id, &secure->contacts);
	return call->awaited ? STEP_WAIT : STEP_NEXT;
}

static enum step_result secure_commit(struct call *call)
{
	return train_board(call);
}

static enum boarding secure_board(struct call *call, struct departure *departure)
{
	const struct secure *secure = call->state;
	for (size_t i = 0; i < secure->rights.count; i++) {
		const struct suppressed_right *right = &secure->rights.all[i];
		for (size_t contact = 0; contact < secure->contacts.count; contact++)
			departure_write(departure, WRITE_SUPPRESSION,
				(struct cell[]){ cell_bytes(secure->contacts.hashes[contact], 32),
					cell_number(right->kind), cell_text(right->purpose),
					cell_text(secure->subject_id), cell_number(departure_now(departure)) });
		departure_write(departure, WRITE_RIGHT_CONTACTS_READ,
			(struct cell[]){
				cell_text(secure->subject_id), cell_number(right->kind), cell_text(right->purpose) });
	}
	return secure->rights.count ? BOARDED : BOARD_NOTHING;
}

static enum step_result secure_done(struct call *call)
{
	const struct secure *secure = call->state;
	if (secure->securing)
		secure->securing->complete = true;
	return STEP_DONE;
}

static void page_ended(struct suppression *suppression);

static void secure_release(struct call *call)
{
	const struct secure *secure = call->state;
	struct securing *securing = secure->securing;
	if (secure->suppression) {
		secure->suppression->failed |= call->failed;
		secure->suppression->securing--;
		page_ended(secure->suppression);
	}
	if (!securing)
		return;
	securing->running = false;
	securing->call = NULL;
	securing->done(securing->context);
}

/* Nothing that a client waits for, but what they said: before what is shared anew. */
static const struct method secure_method = {
	.steps = { secure_ask, secure_gather, secure_commit, secure_done },
	.again = 0,
	.board = secure_board,
	.train_class = TRAIN_DELIVERY,
	.release = secure_release,
};

static struct call *secure_new(struct service *service, const char *subject_id)
{
	struct call *call = call_new_own(service, &secure_method);
	struct secure *secure = call_alloc(call, sizeof *secure);
	*secure = (struct secure){ .subject_id = arena_strdup(call->arena, subject_id) };
	call->state = secure;
	return call;
}

void securing_start(struct securing *securing, struct service *service, const char *subject_id,
	void (*done)(void *context), void *context)
{
	assert(!securing->running);
	struct call *call = secure_new(service, subject_id);
	struct secure *secure = call->state;
	secure->securing = securing;
	secure->again = true;
	*securing = (struct securing){ .running = true, .call = call, .done = done, .context = context };
	call_run(call);
}

void securing_forget(struct securing *securing)
{
	if (!securing->running)
		return;
	struct secure *secure = securing->call->state;
	secure->securing = NULL;
	securing->running = false;
}

/* ---- the elected worker: page by page, round and round ---- */

static void remember(struct suppression *suppression, const char *subject_id)
{
	mem_free(suppression->after);
	suppression->after = mem_strdup(subject_id);
}

static void pending_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct suppression *suppression = target;
	const char *subject_id = row_text(result, row, 1, call);
	struct call *own = secure_new(suppression->service, subject_id);
	((struct secure *)own->state)->suppression = suppression;
	remember(suppression, subject_id);
	suppression->found++;
	suppression->securing++;
	call_run(own);
}

static const struct read_kind suppression_pending = {
	.statement = &sql_suppression_pending,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_INT4 },
	.row = pending_row,
};

static enum step_result look_ask(struct call *call)
{
	struct suppression *suppression = call->state;
	batch_read(call, &suppression_pending, suppression,
		(struct cell[]){ cell_text(suppression->after), cell_number(PAGE) });
	return STEP_NEXT;
}

static enum step_result look_done(struct call *call)
{
	return call->awaited ? STEP_WAIT : STEP_DONE;
}

static void look_release(struct call *call)
{
	struct suppression *suppression = call->state;
	suppression->looking = false;
	suppression->failed |= call->failed;
	page_ended(suppression);
}

static const struct method look_method = {
	.steps = { look_ask, look_done },
	.release = look_release,
};

/* A full page has more behind it; behind the last one there is the first. */
static void page_ended(struct suppression *suppression)
{
	if (suppression->looking || suppression->securing)
		return;
	if (suppression->found < PAGE)
		remember(suppression, "");
	bool at_once = suppression->again || suppression->found == PAGE;
	loop_timer_set(&suppression->timer, suppression->failed ? RETRY_INTERVAL : at_once ? 0 : INTERVAL);
}

static void look(void *context)
{
	struct suppression *suppression = context;
	struct service *service = suppression->service;
	if (suppression->looking || suppression->securing)
		return;
	loop_timer_set(&suppression->timer, INTERVAL);
	if (!service_elected(service) || service_state(service) != SERVICE_SERVING ||
		!company_configured(service_company(service)))
		return;
	suppression->looking = true;
	suppression->again = suppression->failed = false;
	suppression->found = 0;
	struct call *call = call_new_own(service, &look_method);
	call->state = suppression;
	call_run(call);
}

void suppression_wake(struct suppression *suppression)
{
	suppression->again = true;
	if (!suppression->looking && !suppression->securing && !suppression->failed)
		loop_timer_set(&suppression->timer, 0);
}

struct suppression *suppression_new(struct service *service)
{
	struct suppression *suppression = mem_calloc(1, sizeof *suppression);
	suppression->service = service;
	remember(suppression, "");
	loop_timer_init(&suppression->timer, service_loop(service), look, suppression);
	loop_timer_set(&suppression->timer, INTERVAL);
	return suppression;
}

void suppression_free(struct suppression *suppression)
{
	if (!suppression)
		return;
	loop_timer_release(&suppression->timer);
	mem_free(suppression->after);
	mem_free(suppression);
}
