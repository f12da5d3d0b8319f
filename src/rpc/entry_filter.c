#include "rpc/entry_filter.h"

#include "pure/message.h"
#include "pure/secret.h"
#include "pure/time.h"
#include "rpc/request.h"

#include <string.h>

/* Empty is "not given" (proto3). */
static const char *given(const char *text)
{
	return text && *text ? text : NULL;
}

static bool check_text(struct call *call, const char *field, const char *value)
{
	return !value || request_identifier(call, field, value);
}

static bool decode_kinds(struct call *call, const Needtoknow__V1__EntryFilter *filter, struct entry_filter *out)
{
	out->kinds = filter->n_kinds ? 0 : UINT64_MAX >> 1;
	for (size_t i = 0; i < filter->n_kinds; i++) {
		if (!request_enum(call, "filter.kinds", &needtoknow__v1__entry_kind__descriptor, (int)filter->kinds[i]))
			return false;
		out->kinds |= UINT64_C(1) << filter->kinds[i];
	}
	return true;
}

static bool decode_ids(struct call *call, const Needtoknow__V1__EntryFilter *filter, struct entry_filter *out)
{
	out->disclosure_text = given(filter->disclosure_id);
	out->subject_id = given(filter->subject_id);
	out->booking_id = given(filter->booking_id);
	out->recipient_id = given(filter->recipient_id);
	out->service = given(filter->service);
	out->purpose = given(filter->purpose);
	out->actor = given(filter->actor);
	out->by_disclosure = out->disclosure_text != NULL;
	if (out->by_disclosure && !request_uuid(call, "filter.disclosure_id", out->disclosure_text, out->disclosure_id))
		return false;
	if (!check_text(call, "filter.subject_id", out->subject_id) ||
		!check_text(call, "filter.booking_id", out->booking_id) ||
		!check_text(call, "filter.recipient_id", out->recipient_id) ||
		!check_text(call, "filter.service", out->service) ||
		!check_text(call, "filter.purpose", out->purpose) ||
		(out->actor && !request_text(call, "filter.actor", out->actor, IDENTITY_URI_MAX)))
		return false;
	out->by = out->by_disclosure ? ENTRY_FILTER_BY_DISCLOSURE
		: out->booking_id    ? ENTRY_FILTER_BY_BOOKING
		: out->subject_id    ? ENTRY_FILTER_BY_SUBJECT
		: out->recipient_id  ? ENTRY_FILTER_BY_RECIPIENT
				     : ENTRY_FILTER_BY_NONE;
	return true;
}

static struct secret_field text_field(const char *text)
{
	return (struct secret_field){ text ? text : "", text ? strlen(text) : 0 };
}

static void digest(struct entry_filter *filter, bool newest_first)
{
	static const uint8_t key[32]; /* a digest, not a secret: the page token's own key binds it */
	struct secret_field fields[] = { text_field(filter->disclosure_text), text_field(filter->subject_id),
		text_field(filter->booking_id), text_field(filter->recipient_id), text_field(filter->service),
		text_field(filter->purpose), text_field(filter->actor), { &filter->kinds, sizeof filter->kinds },
		{ &filter->recorded_from, sizeof filter->recorded_from },
		{ &filter->recorded_until, sizeof filter->recorded_until }, { &newest_first, sizeof newest_first } };
	secret_hmac(key, fields, sizeof fields / sizeof *fields, filter->scope);
}

bool entry_filter_decode(
	struct call *call, const Needtoknow__V1__EntryFilter *filter, bool newest_first, struct entry_filter *out)
{
	static const Needtoknow__V1__EntryFilter everything = NEEDTOKNOW__V1__ENTRY_FILTER__INIT;
	memset(out, 0, sizeof *out);
	if (!filter)
		filter = &everything;
	if (!decode_ids(call, filter, out) || !decode_kinds(call, filter, out) ||
		!request_time(call, "filter.recorded_from", filter->recorded_from, &out->recorded_from) ||
		!request_time(call, "filter.recorded_until", filter->recorded_until, &out->recorded_until))
		return false;
	if (out->recorded_from == TIME_NONE)
		out->recorded_from = 0;
	if (out->recorded_until == TIME_NONE)
		out->recorded_until = INT64_MAX;
	digest(out, newest_first);
	return true;
}

static bool same(const char *wanted, const char *is)
{
	return !wanted || !strcmp(wanted, is);
}

bool entry_filter_matches(const struct entry_filter *filter, const Needtoknow__V1__LedgerEntry *entry)
{
	int64_t at;
	if (time_from_timestamp(entry->recorded_at, &at) || at < filter->recorded_from || at >= filter->recorded_until)
		return false;
	if (entry->kind <= 0 || entry->kind >= 63 || !(filter->kinds >> entry->kind & 1))
		return false;
	return same(filter->service, entry->service) && same(filter->purpose, entry->purpose) &&
		same(filter->actor, entry->actor);
}

void entry_filter_shape(const struct entry_filter *filter, struct entry_draft *draft)
{
	Needtoknow__V1__LedgerEntry *entry = &draft->entry;
	const struct {
		bool given;
		const char *name;
	} shape[] = {
		{ filter->subject_id, "subject_id" },
		{ filter->recipient_id, "recipient_id" },
		{ filter->booking_id, "booking_id" },
		{ filter->by_disclosure, "disclosure_id" },
		{ filter->service, "service" },
		{ filter->purpose, "purpose" },
		{ filter->actor, "actor" },
		{ filter->kinds != UINT64_MAX >> 1, "kinds" },
		{ filter->recorded_from != 0, "recorded_from" },
		{ filter->recorded_until != INT64_MAX, "recorded_until" },
	};
	entry->fields = draft->fields;
	for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
		if (shape[i].given)
			draft->fields[entry->n_fields++] = (char *)shape[i].name;
}

Needtoknow__V1__LedgerEntry *entry_decode(struct call *call, const uint8_t *body, size_t length)
{
	ProtobufCMessage *message;
	const char *field;
	if (message_unpack(&needtoknow__v1__ledger_entry__descriptor, body, length, call->arena, &message, &field) !=
		MESSAGE_OK)
		return NULL;
	return (Needtoknow__V1__LedgerEntry *)message;
}
