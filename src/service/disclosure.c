#include "service/disclosure.h"

#include "pure/identifier.h"
#include "pure/secret.h"
#include "pure/time.h"
#include "service/service.h"

#include <stdlib.h>
#include <string.h>

/* `0s 0a 1s`: release numbers, each sent or acknowledged; once for each device that is to have it. What one of them has
 * not acknowledged is not. */
static void read_sent(struct disclosure *disclosure, const PGresult *result, int row, int column)
{
	if (row_is_null(result, row, column))
		return;
	const char *at = PQgetvalue(result, row, column);
	const char *end = at + PQgetlength(result, row, column);
	unsigned open = 0;
	while (at < end) {
		unsigned release = 0;
		for (; at < end && *at >= '0' && *at <= '9'; at++)
			release = release * 10 + (unsigned)(*at - '0');
		if (at < end && release < POLICY_RELEASES_MAX) {
			disclosure->sent |= 1u << release;
			open |= *at == 'a' ? 0 : 1u << release;
		}
		at += at + 1 < end ? 2 : 1;
	}
	disclosure->acknowledged = disclosure->sent & ~open;
}

void disclosure_read(struct call *call, const PGresult *result, int row, struct disclosure *out, int64_t *now)
{
	memset(out, 0, sizeof *out);
	row_bytes(result, row, 1, out->id, sizeof out->id);
	out->booking_id = row_text(result, row, 2, call);
	out->recipient_id = row_text(result, row, 3, call);
	out->service = row_text(result, row, 4, call);
	out->policy_number = (int)row_int(result, row, 5);
	out->state = (int)row_int(result, row, 6);
	out->withheld = (unsigned)row_int(result, row, 7);
	out->starts_at = row_time(result, row, 8);
	out->ends_at = row_time(result, row, 9);
	out->expires_at = row_time(result, row, 10);
	out->created_at = row_time(result, row, 11);
	out->shared_index = (uint64_t)row_int(result, row, 12);
	out->subject_id = row_text(result, row, 13, call);
	*now = row_time(result, row, 14);
	read_sent(out, result, row, 15);
}

const struct rule *disclosure_rule(const struct call *call, const struct disclosure *disclosure)
{
	const struct rules *rules = rulebook_number(service_rulebook(call->service), disclosure->policy_number);
	/* Another worker shared under a policy that it has just put in force. */
	if (!rules)
		rulebook_refresh(service_rulebook(call->service));
	return rules && disclosure->service ? rules_find(rules, disclosure->service) : NULL;
}

const struct rule *disclosure_rule_now(const struct call *call, const struct disclosure *disclosure)
{
	struct rulebook *rulebook = service_rulebook(call->service);
	const struct rule *rule = disclosure->service
		? rulebook_rule_now(rulebook, disclosure->policy_number, disclosure->service)
		: NULL;
	if (!rule)
		rulebook_refresh(rulebook);
	return rule;
}

const struct policy_service *disclosure_service(const struct call *call, const struct disclosure *disclosure)
{
	const struct policy *policy = rulebook_policy(service_rulebook(call->service), disclosure->policy_number);
	return policy && disclosure->service ? policy_service(policy, disclosure->service) : NULL;
}

int64_t disclosure_expires_at(const struct disclosure *disclosure, const struct rule *rule)
{
	int64_t at = rule
		? moment_at(&rule->service->expires, disclosure->created_at, disclosure->starts_at, disclosure->ends_at)
		: INT64_MAX;
	return at < disclosure->expires_at ? at : disclosure->expires_at;
}

Needtoknow__V1__Reason disclosure_ended_reason(int state)
{
	static const Needtoknow__V1__Reason reasons[] = {
		[NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_EXPIRED] = NEEDTOKNOW__V1__REASON__REASON_EXPIRED,
		[NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_REVOKED] = NEEDTOKNOW__V1__REASON__REASON_REVOKED,
		[NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_OBJECTED] = NEEDTOKNOW__V1__REASON__REASON_OBJECTED,
		[NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_RESTRICTED] =
			NEEDTOKNOW__V1__REASON__REASON_RESTRICTED,
		[NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_SUSPENDED] =
			NEEDTOKNOW__V1__REASON__REASON_SUSPENDED,
		[NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ERASED] = NEEDTOKNOW__V1__REASON__REASON_ERASED,
	};
	/* One whose time is over is active until the sweeper writes that down. */
	Needtoknow__V1__Reason reason = state > 0 && (size_t)state < sizeof reasons / sizeof *reasons
		? reasons[state]
		: NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED;
	return reason == NEEDTOKNOW__V1__REASON__REASON_UNSPECIFIED ? NEEDTOKNOW__V1__REASON__REASON_EXPIRED : reason;
}

int64_t disclosure_due_at(const struct disclosure *disclosure, const struct policy_release *release)
{
	return release_due_at(release, disclosure->created_at, disclosure->starts_at, disclosure->ends_at);
}

Google__Protobuf__Timestamp *timestamp_message(struct call *call, int64_t time)
{
	if (time == TIME_NONE || time == INT64_MAX)
		return NULL;
	Google__Protobuf__Timestamp *timestamp = call_alloc(call, sizeof *timestamp);
	if (timestamp)
		time_to_timestamp(time, timestamp);
	return timestamp;
}

char *uuid_text(struct call *call, const uint8_t uuid[16])
{
	char *text = call_alloc(call, UUID_TEXT_LENGTH + 1);
	if (text)
		uuid_format(uuid, text);
	return text;
}

Needtoknow__V1__Receipt *receipt_message(struct call *call, const struct recorded *recorded)
{
	Needtoknow__V1__Receipt *receipt = call_alloc(call, sizeof *receipt);
	if (!receipt)
		return NULL;
	needtoknow__v1__receipt__init(receipt);
	receipt->ledger_index = recorded->index;
	receipt->leaf_hash.data = arena_memdup(call->arena, recorded->leaf.bytes, sizeof recorded->leaf.bytes);
	receipt->leaf_hash.len = receipt->leaf_hash.data ? sizeof recorded->leaf.bytes : 0;
	receipt->recorded_at = timestamp_message(call, recorded->at);
	return receipt;
}

static Needtoknow__V1__ReleaseState release_state(
	const struct disclosure *disclosure, unsigned release, int64_t due_at, int64_t now)
{
	unsigned bit = 1u << release;
	if (disclosure->acknowledged & bit)
		return NEEDTOKNOW__V1__RELEASE_STATE__RELEASE_STATE_ACKNOWLEDGED;
	if (disclosure->sent & bit)
		return NEEDTOKNOW__V1__RELEASE_STATE__RELEASE_STATE_DELIVERED;
	/* What is restricted waits, and goes on when that is lifted. */
	if (disclosure->withheld & bit ||
		(disclosure->state != NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE &&
			disclosure->state != NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_RESTRICTED))
		return NEEDTOKNOW__V1__RELEASE_STATE__RELEASE_STATE_WITHDRAWN;
	return due_at <= now ? NEEDTOKNOW__V1__RELEASE_STATE__RELEASE_STATE_DUE
			     : NEEDTOKNOW__V1__RELEASE_STATE__RELEASE_STATE_WAITING;
}

static Needtoknow__V1__Release *release_message(struct call *call, const struct disclosure *disclosure,
	const struct policy_service *service, unsigned number, int64_t now)
{
	const struct policy_release *from = &service->releases[number];
	Needtoknow__V1__Release *release = call_alloc(call, sizeof *release);
	if (!release)
		return NULL;
	int64_t due_at = disclosure_due_at(disclosure, from);
	needtoknow__v1__release__init(release);
	release->name = (char *)from->name;
	release->fields = call_alloc(call, from->field_count * sizeof *release->fields);
	for (size_t i = 0; release->fields && i < from->field_count; i++)
		release->fields[release->n_fields++] = (char *)from->fields[i]->name;
	release->due_at = timestamp_message(call, due_at);
	release->state = release_state(disclosure, number, due_at, now);
	return release;
}

Needtoknow__V1__Release **releases_message(
	struct call *call, const struct disclosure *disclosure, const struct policy_service *service, int64_t now)
{
	Needtoknow__V1__Release **releases = call_alloc(call, service->release_count * sizeof *releases);
	for (unsigned i = 0; releases && i < service->release_count; i++)
		releases[i] = release_message(call, disclosure, service, i, now);
	return call->failed ? NULL : releases;
}

Needtoknow__V1__Disclosure *disclosure_message(struct call *call, const struct disclosure *disclosure, int64_t now)
{
	const struct rule *rule = disclosure_rule_now(call, disclosure);
	Needtoknow__V1__Disclosure *message = call_alloc(call, sizeof *message);
	if (!message)
		return NULL;
	needtoknow__v1__disclosure__init(message);
	message->disclosure_id = uuid_text(call, disclosure->id);
	message->booking_id = (char *)(disclosure->booking_id ? disclosure->booking_id : "");
	message->recipient_id = (char *)disclosure->recipient_id;
	message->service = (char *)disclosure->service;
	message->state = (Needtoknow__V1__DisclosureState)disclosure->state;
	/* Expired is what the clock says; the sweeper only writes it down. */
	if (message->state == NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_ACTIVE &&
		disclosure->expires_at <= now)
		message->state = NEEDTOKNOW__V1__DISCLOSURE_STATE__DISCLOSURE_STATE_EXPIRED;
	message->starts_at = timestamp_message(call, disclosure->starts_at);
	message->ends_at = timestamp_message(call, disclosure->ends_at);
	message->expires_at = timestamp_message(call, disclosure->expires_at);
	message->created_at = timestamp_message(call, disclosure->created_at);
	if (rule) {
		message->purpose = (char *)rule->service->purpose;
		message->legal_basis = (char *)legal_basis_name(rule->service->legal_basis);
		message->releases = releases_message(call, disclosure, rule->service, now);
		message->n_releases = message->releases ? rule->service->release_count : 0;
	}
	return call->failed ? NULL : message;
}

void entry_begin(struct entry_draft *draft, const struct call *call, Needtoknow__V1__EntryKind kind)
{
	needtoknow__v1__ledger_entry__init(&draft->entry);
	draft->entry.kind = kind;
	draft->entry.actor = (char *)call->actor;
	const struct rules *rules = rulebook_in_force(service_rulebook(call->service));
	if (rules) {
		draft->entry.policy_digest.data = (uint8_t *)policy_digest(rules_policy(rules));
		draft->entry.policy_digest.len = 32;
	}
}

void entry_disclosure(struct entry_draft *draft, const struct call *call, const struct disclosure *disclosure,
	const struct subject *subject)
{
	Needtoknow__V1__LedgerEntry *entry = &draft->entry;
	const struct policy_service *service = disclosure_service(call, disclosure);
	uuid_format(disclosure->id, draft->disclosure_id);
	entry->disclosure_id = draft->disclosure_id;
	entry->recipient_id = (char *)disclosure->recipient_id;
	entry->service = (char *)disclosure->service;
	time_to_timestamp(disclosure->expires_at, &draft->expires_at);
	entry->expires_at = &draft->expires_at;
	if (service) {
		const struct policy *policy =
			rulebook_policy(service_rulebook(call->service), disclosure->policy_number);
		entry_service(draft, service);
		entry->policy_digest.data = (uint8_t *)policy_digest(policy);
	}
	if (subject && subject->known) {
		entry->subject_pseudonym.data = (uint8_t *)subject->pseudonym;
		entry->subject_pseudonym.len = sizeof subject->pseudonym;
		if (disclosure->booking_id) {
			booking_ref(subject->key, disclosure->booking_id, draft->booking_ref);
			entry->booking_ref.data = draft->booking_ref;
			entry->booking_ref.len = sizeof draft->booking_ref;
		}
	}
}

void entry_service(struct entry_draft *draft, const struct policy_service *service)
{
	draft->entry.service = (char *)service->name;
	draft->entry.purpose = (char *)service->purpose;
	draft->entry.legal_basis = (char *)legal_basis_name(service->legal_basis);
}

void entry_release(struct entry_draft *draft, const struct policy_release *release)
{
	draft->entry.release = (char *)release->name;
	draft->entry.n_fields = release->field_count;
	draft->entry.fields = draft->fields;
	for (size_t i = 0; i < release->field_count; i++)
		draft->fields[i] = (char *)release->fields[i]->name;
}
