#include "service/delivery.h"

#include "base/memory.h"
#include "pure/policy_narrow.h"
#include "pure/secret.h"
#include "pure/time.h"
#include "service/service.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX ((size_t)64 << 10)
/* Delivery ids of one release; beyond, a value changes so often that a person must look. */
#define SERIALS_MAX 32000
#define DELIVERY_MAX ((size_t)1 << 20)
/* What expires sooner is not sent any more: it would be used after its end. */
#define EXPIRY_MARGIN TIME_SECOND

static const char *source_key(const struct due *due, const struct source_read *read, const struct rule *rule)
{
	const struct policy_source *source = read->fields[0]->source;
	return source == policy_subjects(rules_policy(rule->rules)) ? due->disclosure.subject_id
								    : due->disclosure.booking_id;
}

static void ask(struct call *call, const struct shipment *shipment, const struct source_read *read,
	struct source_answer *answer)
{
	const char *key = source_key(shipment->due, read, shipment->rule);
	if (key && shipment->due->disclosure.subject_id)
		source_ask(call, read, key, shipment->due->disclosure.subject_id, answer);
	else
		*answer = (struct source_answer){ .read = read }; /* cleared by retention: as a row that is not there */
}

void release_device_key(struct call *call, const struct delivery_key *key, const char *device)
{
	uint8_t id[offsetof(struct delivery_key, serial) + IDENTITY_NAME_MAX];
	size_t length = strlen(device) < IDENTITY_NAME_MAX ? strlen(device) : IDENTITY_NAME_MAX;
	memcpy(id, key, offsetof(struct delivery_key, serial));
	memcpy(id + offsetof(struct delivery_key, serial), device, length);
	call_key(call, KEY_RELEASE, id, offsetof(struct delivery_key, serial) + length, KEY_EXCLUSIVE);
}

void release_send_keys(struct call *call, const struct delivery_key *key, const char *device)
{
	call_key(call, KEY_RELEASE, key, offsetof(struct delivery_key, serial), *device ? KEY_ADDED : KEY_EXCLUSIVE);
	if (*device)
		release_device_key(call, key, device);
}

void shipment_ask(struct call *call, struct shipment *shipment, const struct due *due, const struct rule *rule)
{
	const struct release_read *release_read = &rule->releases[due->key.release];
	shipment->due = due;
	shipment->rule = rule;
	shipment->release = &rule->service->releases[due->key.release];
	shipment->answers = call_alloc(call, (release_read->count + 1) * sizeof *shipment->answers);
	if (!shipment->answers)
		return;
	for (size_t i = 0; i < release_read->count; i++)
		ask(call, shipment, release_read->sources[i], &shipment->answers[i]);
	shipment->consent = NULL;
	if (rule->consent) {
		shipment->consent = &shipment->answers[release_read->count];
		ask(call, shipment, rule->consent, shipment->consent);
	}
}

static const struct source_value *value_of(const struct shipment *shipment, const struct policy_field *field)
{
	const struct release_read *release_read = &shipment->rule->releases[shipment->due->key.release];
	for (size_t i = 0; i < release_read->count; i++)
		for (size_t j = 0; j < release_read->sources[i]->field_count; j++)
			if (release_read->sources[i]->fields[j] == field)
				return &shipment->answers[i].values[j];
	assert(!"a release's field is in none of its statements");
	return NULL;
}

enum tristate consent_of(const struct source_answer *answer)
{
	if (answer->rows != 1 || !answer->values[0].bytes)
		return TRISTATE_NULL;
	return strcmp(answer->values[0].bytes, "true") ? TRISTATE_FALSE : TRISTATE_TRUE;
}

/* Every source has exactly one row of this key, or says who is missing. */
static enum shipment_result check_rows(const struct shipment *shipment, struct share_facts *facts, const char **why)
{
	const struct release_read *release_read = &shipment->rule->releases[shipment->due->key.release];
	const struct policy_source *subjects = policy_subjects(rules_policy(shipment->rule->rules));
	facts->subject_known = facts->booking_known = facts->booking_is_subjects = true;
	for (size_t i = 0; i < release_read->count; i++) {
		if (shipment->answers[i].rows > 1) {
			*why = "AMBIGUOUS_KEY";
			return SHIPMENT_HELD;
		}
		if (shipment->answers[i].rows == 1)
			continue;
		if (release_read->sources[i]->fields[0]->source == subjects)
			facts->subject_known = false;
		else
			facts->booking_known = false;
	}
	return SHIPMENT_GOOD;
}

static enum shipment_result check_sizes(const struct shipment *shipment, const char **why)
{
	size_t total = 0;
	for (size_t i = 0; i < shipment->release->field_count; i++) {
		const struct source_value *value = value_of(shipment, shipment->release->fields[i]);
		total += value->length;
		if (value->length > VALUE_MAX || total > DELIVERY_MAX) {
			*why = "VALUE_TOO_LARGE";
			return SHIPMENT_HELD;
		}
	}
	return SHIPMENT_GOOD;
}

/* What may be lifted or mended waits; everything else is final. */
static bool may_pass(Needtoknow__V1__Reason reason)
{
	return reason == NEEDTOKNOW__V1__REASON__REASON_RESTRICTED ||
		reason == NEEDTOKNOW__V1__REASON__REASON_RECIPIENT_SUSPENDED ||
		reason == NEEDTOKNOW__V1__REASON__REASON_AGREEMENT_NOT_IN_FORCE;
}

bool shipment_is_barred(const struct shipment *shipment, int64_t now)
{
	struct share_facts facts = shipment->due->facts;
	facts.now = now;
	facts.service = shipment->rule->service;
	facts.subject_known = facts.booking_known = facts.booking_is_subjects = true;
	facts.consent = TRISTATE_TRUE;
	return !shipment->due->subject.known || may_pass(share_decide(&facts));
}

enum shipment_result shipment_check(
	const struct shipment *shipment, int64_t now, Needtoknow__V1__Reason *reason, const char **why)
{
	struct share_facts facts = shipment->due->facts;
	facts.now = now;
	facts.service = shipment->rule->service;
	if (shipment->due->disclosure.expires_at - now <= EXPIRY_MARGIN) {
		*why = "EXPIRED";
		return SHIPMENT_HELD; /* the sweeper ends it */
	}
	if (!shipment->due->subject.known) {
		*why = "KEY_DESTROYED";
		return SHIPMENT_HELD;
	}
	if (shipment->due->repeat && shipment->due->latest >= SERIALS_MAX) {
		*why = "TOO_MANY_CORRECTIONS";
		return SHIPMENT_HELD;
	}
	if (disclosure_due_at(&shipment->due->disclosure, shipment->release) > now) {
		*why = "NOT_DUE";
		return SHIPMENT_HELD;
	}
	if (!shipment->release->field_count) { /* a narrower policy has left nothing of it */
		*reason = NEEDTOKNOW__V1__REASON__REASON_SERVICE_NOT_AUTHORISED;
		*why = reason_name(*reason);
		return SHIPMENT_REFUSED;
	}
	enum shipment_result result = check_rows(shipment, &facts, why);
	if (result != SHIPMENT_GOOD)
		return result;
	facts.consent = shipment->consent ? consent_of(shipment->consent) : TRISTATE_NULL;
	*reason = share_decide(&facts);
	*why = reason_name(*reason);
	if (*reason != NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED)
		return may_pass(*reason) ? SHIPMENT_HELD : SHIPMENT_REFUSED;
	return check_sizes(shipment, why);
}

static void commit_to(const struct shipment *shipment, const char *delivery_id, uint8_t out[32])
{
	struct commitment_field fields[POLICY_FIELDS_MAX];
	for (size_t i = 0; i < shipment->release->field_count; i++) {
		const struct source_value *value = value_of(shipment, shipment->release->fields[i]);
		fields[i] =
			(struct commitment_field){ shipment->release->fields[i]->name, value->bytes, value->length };
	}
	values_commitment(shipment->due->subject.key, delivery_id, fields, shipment->release->field_count, out);
}

/* A repeat keeps its id while the values are the same; changed values are a new id (API, Receive). */
static struct delivery_key name_delivery(struct shipment *shipment)
{
	struct delivery_key key = shipment->due->key;
	delivery_id_format(&key, shipment->delivery_id);
	commit_to(shipment, shipment->delivery_id, shipment->commitment);
	if (shipment->due->repeat &&
		memcmp(shipment->commitment, shipment->due->commitment, sizeof shipment->commitment)) {
		key.serial = (int16_t)(shipment->due->latest + 1);
		shipment->reason = NEEDTOKNOW__V1__REASON__REASON_CORRECTED;
		delivery_id_format(&key, shipment->delivery_id);
		commit_to(shipment, shipment->delivery_id, shipment->commitment);
	}
	return key;
}

bool shipment_differs(struct shipment *shipment)
{
	shipment->reason = NEEDTOKNOW__V1__REASON__REASON_REPEATED;
	name_delivery(shipment);
	return shipment->reason == NEEDTOKNOW__V1__REASON__REASON_CORRECTED;
}

static_assert(POLICY_FIELDS_MAX <= 64, "sent.left_out, a bigint, has a bit for each of a release's fields");

int64_t shipment_left_out(const struct call *call, const struct shipment *shipment)
{
	const struct rule *shared = disclosure_rule(call, &shipment->due->disclosure);
	return shared
		? (int64_t)release_left_out(&shared->service->releases[shipment->due->key.release], shipment->release)
		: 0;
}

void shipment_board(
	struct call *call, struct departure *departure, struct shipment *shipment, const char *device, bool open)
{
	const struct due *due = shipment->due;
	struct entry_draft draft;
	struct delivery_key key = name_delivery(shipment);
	int64_t now = departure_now(departure);
	int64_t free_at = now + policy_acknowledge_within(rules_policy(shipment->rule->rules));

	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_DELIVERED);
	entry_disclosure(&draft, call, &due->disclosure, &due->subject);
	entry_release(&draft, shipment->release);
	draft.entry.device = (char *)device;
	draft.entry.delivery_id = shipment->delivery_id;
	draft.entry.reason = shipment->reason;
	draft.entry.values_commitment.data = shipment->commitment;
	draft.entry.values_commitment.len = sizeof shipment->commitment;
	shipment->recorded = departure_entry(departure, &draft.entry);

	departure_write(departure, WRITE_SENT,
		(struct cell[]){ cell_bytes(key.disclosure, 16), cell_number(key.release), cell_number(key.serial),
			cell_number((int64_t)shipment->recorded.index), cell_text(due->disclosure.recipient_id),
			cell_text(device), cell_number(now), cell_number(free_at), cell_number(open),
			cell_bytes(shipment->commitment, sizeof shipment->commitment),
			cell_number(shipment_left_out(call, shipment)), cell_text(due->device) });
	if (due->repeat)
		departure_write(departure, WRITE_SENT_REPEATED,
			(struct cell[]){ cell_bytes(key.disclosure, 16), cell_number(key.release),
				cell_number((int64_t)shipment->recorded.index), cell_text(due->device) });
	else if (due->due_at != TIME_NONE)
		departure_write(departure, due->perhaps ? WRITE_DUE_TAKEN : WRITE_DUE_GONE,
			(struct cell[]){ cell_text(due->disclosure.recipient_id), cell_text(due->device),
				cell_number(due->due_at), cell_bytes(key.disclosure, 16), cell_number(key.release) });
}

/* Withheld from one device is withheld from all. */
static void due_withheld(struct departure *departure, const struct due *due)
{
	struct cell recipient = cell_text(due->disclosure.recipient_id), due_at = cell_number(due->due_at),
		    disclosure = cell_bytes(due->disclosure.id, 16), release = cell_number(due->key.release);
	if (*due->device)
		departure_write(departure, WRITE_DUE_ENDED, (struct cell[]){ recipient, due_at, disclosure, release });
	else
		departure_write(departure, WRITE_DUE_GONE,
			(struct cell[]){ recipient, cell_text(""), due_at, disclosure, release });
}

void shipment_withhold(struct call *call, struct departure *departure, const struct due *due, const struct rule *rule,
	Needtoknow__V1__Reason reason)
{
	struct entry_draft draft;
	entry_begin(&draft, call, NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_REFUSED);
	entry_disclosure(&draft, call, &due->disclosure, &due->subject);
	entry_release(&draft, &rule->service->releases[due->key.release]);
	draft.entry.reason = reason;
	struct recorded recorded = departure_entry(departure, &draft.entry);
	departure_write(departure, WRITE_ENTRY_REFERENCE,
		(struct cell[]){ cell_number((int64_t)recorded.index), cell_bytes(due->disclosure.id, 16),
			cell_text(NULL), cell_text(NULL), cell_text(NULL), cell_text(NULL) });
	if (due->repeat) {
		departure_write(departure, WRITE_SENT_REPEATED,
			(struct cell[]){ cell_bytes(due->disclosure.id, 16), cell_number(due->key.release),
				cell_number((int64_t)recorded.index), cell_text(due->device) });
		return;
	}
	departure_write(departure, WRITE_DISCLOSURE_WITHHOLD,
		(struct cell[]){ cell_bytes(due->disclosure.id, 16), cell_number(INT64_C(1) << due->key.release) });
	if (due->due_at != TIME_NONE)
		due_withheld(departure, due);
}

static Needtoknow__V1__DeliveryCause cause_of(Needtoknow__V1__Reason reason)
{
	switch (reason) {
	case NEEDTOKNOW__V1__REASON__REASON_CORRECTED:
		return NEEDTOKNOW__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_CORRECTED;
	case NEEDTOKNOW__V1__REASON__REASON_REPEATED:
		return NEEDTOKNOW__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_REPEATED;
	case NEEDTOKNOW__V1__REASON__REASON_FETCHED:
		return NEEDTOKNOW__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_FETCHED;
	default:
		return NEEDTOKNOW__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_NEW;
	}
}

static Needtoknow__V1__Field **fields_message(struct call *call, const struct shipment *shipment)
{
	size_t count = shipment->release->field_count;
	Needtoknow__V1__Field **fields = call_alloc(call, count * sizeof *fields);
	Needtoknow__V1__Field *all = call_alloc(call, count * sizeof *all);
	for (size_t i = 0; fields && all && i < count; i++) {
		const struct source_value *value = value_of(shipment, shipment->release->fields[i]);
		needtoknow__v1__field__init(&all[i]);
		all[i].name = (char *)shipment->release->fields[i]->name;
		all[i].value = (char *)(value->bytes ? value->bytes : "");
		all[i].is_null = !value->bytes;
		all[i].sensitive = shipment->release->sensitive;
		fields[i] = &all[i];
	}
	return fields;
}

Needtoknow__V1__Delivery *shipment_message(struct call *call, const struct shipment *shipment)
{
	const struct due *due = shipment->due;
	const struct policy_service *service = shipment->rule->service;
	Needtoknow__V1__Delivery *message = call_alloc(call, sizeof *message);
	if (!message)
		return NULL;
	needtoknow__v1__delivery__init(message);
	message->delivery_id = (char *)shipment->delivery_id;
	message->disclosure_id = uuid_text(call, due->disclosure.id);
	message->booking_id = (char *)(due->disclosure.booking_id ? due->disclosure.booking_id : "");
	message->release = (char *)shipment->release->name;
	message->service = (char *)service->name;
	message->purpose = (char *)service->purpose;
	message->agreement_ref = (char *)(due->agreement_ref ? due->agreement_ref : "");
	message->starts_at = timestamp_message(call, due->disclosure.starts_at);
	message->ends_at = timestamp_message(call, due->disclosure.ends_at);
	message->expires_at = timestamp_message(call, due->disclosure.expires_at);
	message->delete_by = timestamp_message(call, due->disclosure.expires_at + service->delete_within);
	message->fields = fields_message(call, shipment);
	message->n_fields = message->fields ? shipment->release->field_count : 0;
	message->cause = cause_of(shipment->reason);
	message->receipt = receipt_message(call, &shipment->recorded);
	return call->failed ? NULL : message;
}

int64_t values_die_at(const struct call *call, const struct disclosure *disclosure)
{
	int64_t now = loop_now(service_loop(call->service));
	int64_t end = service_loop_time(call->service, disclosure->expires_at);
	if (call->late || end <= now)
		return 0;
	return end - now < DELIVERY_VALUES_LIFE ? end : now + DELIVERY_VALUES_LIFE;
}

void shipment_wipe(const struct shipment *shipment)
{
	const struct release_read *read;
	if (!shipment->rule || !shipment->answers)
		return;
	read = &shipment->rule->releases[shipment->due->key.release];
	for (size_t i = 0; i < read->count; i++)
		for (size_t j = 0; shipment->answers[i].values && j < read->sources[i]->field_count; j++)
			if (shipment->answers[i].values[j].bytes)
				mem_wipe((void *)shipment->answers[i].values[j].bytes,
					shipment->answers[i].values[j].length);
}
