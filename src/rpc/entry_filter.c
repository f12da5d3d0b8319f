#include "rpc/entry_filter.h"

#include "pure/protobuf.h"
#include "pure/secret.h"
#include "pure/time.h"
#include "rpc/request.h"

#include <string.h>

static bool check_text(struct call *call, const char *field, const char *value)
{
	return !value || request_identifier(call, field, value);
}

static bool decode_kinds(struct call *call, const Needtoknow__V1__EntryFilter *filter, struct entry_filter *out)
{
	out->kinds = filter->n_kinds ? 0 : ENTRY_FILTER_ANY_KIND;
	for (size_t i = 0; i < filter->n_kinds; i++) {
		if (!request_enum(call, "filter.kinds", &needtoknow__v1__entry_kind__descriptor, (int)filter->kinds[i]))
			return false;
		out->kinds |= UINT64_C(1) << filter->kinds[i];
	}
	return true;
}

static bool decode_ids(
	struct call *call, const Needtoknow__V1__EntryFilter *filter, struct entry_filter *out, struct audited *audited)
{
	out->subject_id = audited->subject_id = audited_given(audited, "subject_id", filter->subject_id);
	out->recipient_id = audited->recipient_id = audited_given(audited, "recipient_id", filter->recipient_id);
	out->booking_id = audited_given(audited, "booking_id", filter->booking_id);
	out->disclosure_text = audited_given(audited, "disclosure_id", filter->disclosure_id);
	out->service = audited_given(audited, "service", filter->service);
	out->purpose = audited_given(audited, "purpose", filter->purpose);
	out->actor = audited_given(audited, "actor", filter->actor);
	if (out->disclosure_text &&
		!request_uuid(call, "filter.disclosure_id", out->disclosure_text, out->disclosure_id))
		return false;
	return check_text(call, "filter.subject_id", out->subject_id) &&
		check_text(call, "filter.booking_id", out->booking_id) &&
		check_text(call, "filter.recipient_id", out->recipient_id) &&
		check_text(call, "filter.service", out->service) && check_text(call, "filter.purpose", out->purpose) &&
		(!out->actor || request_text(call, "filter.actor", out->actor, IDENTITY_URI_MAX));
}

static bool decode_times(struct call *call, const Needtoknow__V1__EntryFilter *filter, struct entry_filter *out)
{
	if (!request_time(call, "filter.recorded_from", filter->recorded_from, &out->recorded_from) ||
		!request_time(call, "filter.recorded_until", filter->recorded_until, &out->recorded_until))
		return false;
	out->by_time = filter->recorded_from || filter->recorded_until;
	if (!filter->recorded_until)
		out->recorded_until = INT64_MAX;
	return true;
}

static enum entry_filter_by narrowest(const struct entry_filter *filter)
{
	return filter->disclosure_text                         ? ENTRY_FILTER_BY_DISCLOSURE
		: filter->booking_id                           ? ENTRY_FILTER_BY_BOOKING
		: filter->subject_id                           ? ENTRY_FILTER_BY_SUBJECT
		: filter->recipient_id                         ? ENTRY_FILTER_BY_RECIPIENT
		: !(filter->kinds & ENTRY_FILTER_COMMON_KINDS) ? ENTRY_FILTER_BY_RARE
							       : ENTRY_FILTER_BY_NONE;
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

bool entry_filter_decode(struct call *call, const Needtoknow__V1__EntryFilter *filter, bool newest_first,
	struct entry_filter *out, struct audited *audited)
{
	static const Needtoknow__V1__EntryFilter everything = NEEDTOKNOW__V1__ENTRY_FILTER__INIT;
	memset(out, 0, sizeof *out);
	if (!filter)
		filter = &everything;
	if (!decode_ids(call, filter, out, audited) || !decode_kinds(call, filter, out) ||
		!decode_times(call, filter, out))
		return false;
	audited_given(audited, "kinds", filter->n_kinds ? "kinds" : NULL);
	audited_given(audited, "recorded_from", filter->recorded_from ? "recorded_from" : NULL);
	audited_given(audited, "recorded_until", filter->recorded_until ? "recorded_until" : NULL);
	out->by = narrowest(out);
	out->everything = !audited->shape_count;
	digest(out, newest_first);
	return true;
}

/* ---- against an entry ---- */

/* Of LedgerEntry, ledger.proto. */
enum {
	FIELD_KIND = 1,
	FIELD_RECORDED_AT = 2,
	FIELD_ACTOR = 3,
	FIELD_RECIPIENT_ID = 6,
	FIELD_SERVICE = 8,
	FIELD_PURPOSE = 9,
	FIELDS,
};

static bool same(const char *wanted, const struct protobuf_field *is)
{
	if (!wanted)
		return true;
	return strlen(wanted) == is->length && (!is->length || !memcmp(wanted, is->bytes, is->length));
}

static bool recorded_between(const struct entry_filter *filter, const struct protobuf_field *timestamp)
{
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	const uint8_t *next = timestamp->bytes, *end = next + timestamp->length;
	struct protobuf_field field;
	int64_t time;
	if (!filter->by_time)
		return true;
	if (!timestamp->bytes)
		return false;
	while (protobuf_next(&next, end, &field) > 0) {
		if (field.number == 1)
			at.seconds = (int64_t)field.value;
		else if (field.number == 2)
			at.nanos = (int32_t)field.value;
	}
	return !time_from_timestamp(&at, &time) && time >= filter->recorded_from && time < filter->recorded_until;
}

bool entry_filter_matches(const struct entry_filter *filter, const uint8_t *body, size_t length)
{
	struct protobuf_field found[FIELDS] = { 0 }, field;
	const uint8_t *at = body, *end = body + length;
	int more;
	if (filter->everything)
		return true;
	/* Fields stand in the order of their numbers: what follows the last of these is not looked at. */
	while ((more = protobuf_next(&at, end, &field)) > 0 && field.number < FIELDS)
		found[field.number] = field;
	if (more < 0 || found[FIELD_KIND].value >= 63 || !(filter->kinds >> found[FIELD_KIND].value & 1))
		return false;
	return recorded_between(filter, &found[FIELD_RECORDED_AT]) && same(filter->actor, &found[FIELD_ACTOR]) &&
		same(filter->recipient_id, &found[FIELD_RECIPIENT_ID]) &&
		same(filter->service, &found[FIELD_SERVICE]) && same(filter->purpose, &found[FIELD_PURPOSE]);
}
