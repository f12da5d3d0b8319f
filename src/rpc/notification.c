#include "rpc/notification.h"

#include "pure/time.h"
#include "rpc/released.h"
#include "service/batch.h"
#include "service/disclosure.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

struct list {
	Needtoknow__V1__RecipientNotification **all;
	size_t count;
};

struct notifications {
	struct list corrections, deletions, restrictions;
};

/* ---- which columns ---- */

static bool names(const char *columns, const char *column)
{
	size_t wanted = strlen(column);
	for (const char *at = columns; *at;) {
		size_t length = strcspn(at, "\n");
		if (length == wanted && !memcmp(at, column, length))
			return true;
		at += length + (at[length] == '\n');
	}
	return false;
}

bool column_carried(const struct policy_release *release, uint64_t left_out, const char *columns)
{
	for (size_t i = 0; i < release->field_count; i++)
		if (!(left_out >> i & 1) && names(columns, release->fields[i]->name))
			return true;
	return false;
}

/* ---- rows ---- */

/* What all three have, from `column` on: disclosure, service, policy, display name, device. NULL: the call has failed.
 */
static Needtoknow__V1__RecipientNotification *add(
	struct call *call, struct list *list, const PGresult *result, int row, int column)
{
	uint8_t id[16];
	Needtoknow__V1__RecipientNotification *message = call_alloc(call, sizeof *message);
	if (!list->all)
		list->all = call_alloc(call, (size_t)row_int(result, row, 1) * sizeof *list->all);
	const struct policy_service *service =
		released_service(call, (int)row_int(result, row, column + 2), row_text(result, row, column + 1, call));
	if (call->failed)
		return NULL;
	needtoknow__v1__recipient_notification__init(message);
	message->request_index = (uint64_t)row_int(result, row, 2);
	row_bytes(result, row, column, id, sizeof id);
	message->disclosure_id = uuid_text(call, id);
	message->service = (char *)service->name;
	message->staff = service->recipients == RECIPIENT_KIND_STAFF;
	if (!message->staff && !row_is_null(result, row, column + 3))
		message->recipient = (char *)row_text(result, row, column + 3, call);
	if (!message->staff)
		message->device = (char *)row_text(result, row, column + 4, call);
	list->all[list->count++] = message;
	return call->failed ? NULL : message;
}

static bool concerns(struct call *call, const PGresult *result, int row)
{
	int64_t release = row_int(result, row, 9);
	const struct policy_service *service =
		released_service(call, (int)row_int(result, row, 6), row_text(result, row, 5, call));
	const char *columns = row_text(result, row, 3, call);
	if (!service || !columns || release < 0 || (size_t)release >= service->release_count)
		return false;
	return column_carried(&service->releases[release], (uint64_t)row_int(result, row, 10), columns);
}

static void correction_row(struct call *call, void *target, const PGresult *result, int row)
{
	if (call->failed || !concerns(call, result, row))
		return;
	Needtoknow__V1__RecipientNotification *message = add(call, target, result, row, 4);
	if (!message)
		return;
	message->kind = NEEDTOKNOW__V1__NOTIFICATION_KIND__NOTIFICATION_KIND_CORRECTION;
	message->answer = NEEDTOKNOW__V1__NOTIFICATION_ANSWER__NOTIFICATION_ANSWER_NONE;
	if (row_is_null(result, row, 11))
		return;
	message->ledger_index = (uint64_t)row_int(result, row, 11);
	message->told_at = timestamp_message(call, row_time(result, row, 12));
	message->answered_at = timestamp_message(call, row_time(result, row, 13));
	if (message->answered_at)
		message->answer = NEEDTOKNOW__V1__NOTIFICATION_ANSWER__NOTIFICATION_ANSWER_ACKNOWLEDGED;
}

static Needtoknow__V1__NotificationAnswer answer_of(int64_t outcome)
{
	switch (outcome) {
	case NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_DELETED:
		return NEEDTOKNOW__V1__NOTIFICATION_ANSWER__NOTIFICATION_ANSWER_DELETED;
	case NEEDTOKNOW__V1__DELETION_OUTCOME__DELETION_OUTCOME_RETAINED:
		return NEEDTOKNOW__V1__NOTIFICATION_ANSWER__NOTIFICATION_ANSWER_RETAINED;
	default:
		return NEEDTOKNOW__V1__NOTIFICATION_ANSWER__NOTIFICATION_ANSWER_NONE;
	}
}

static void deletion_row(struct call *call, void *target, const PGresult *result, int row)
{
	Needtoknow__V1__RecipientNotification *message = call->failed ? NULL : add(call, target, result, row, 3);
	if (!message)
		return;
	message->kind = NEEDTOKNOW__V1__NOTIFICATION_KIND__NOTIFICATION_KIND_DELETION;
	message->ledger_index = (uint64_t)row_int(result, row, 8);
	message->told_at = timestamp_message(call, row_time(result, row, 9));
	message->answer = answer_of(row_int(result, row, 10));
	message->answered_at = timestamp_message(call, row_time(result, row, 11));
	if (!row_is_null(result, row, 12))
		message->ground = (char *)row_text(result, row, 12, call);
	message->until = timestamp_message(call, row_time(result, row, 13));
}

static void restriction_row(struct call *call, void *target, const PGresult *result, int row)
{
	Needtoknow__V1__RecipientNotification *message = call->failed ? NULL : add(call, target, result, row, 3);
	if (!message)
		return;
	message->kind = row_bool(result, row, 10)
		? NEEDTOKNOW__V1__NOTIFICATION_KIND__NOTIFICATION_KIND_RESTRICTION_LIFTED
		: NEEDTOKNOW__V1__NOTIFICATION_KIND__NOTIFICATION_KIND_RESTRICTION;
	message->ledger_index = (uint64_t)row_int(result, row, 8);
	message->told_at = timestamp_message(call, row_time(result, row, 9));
	message->answer = NEEDTOKNOW__V1__NOTIFICATION_ANSWER__NOTIFICATION_ANSWER_NONE;
}

static const struct read_kind corrections_read = {
	.statement = &sql_notified_corrections, .from = READ_AUDIT, .types = { PG_TEXT }, .row = correction_row
};
static const struct read_kind deletions_read = {
	.statement = &sql_notified_deletions, .from = READ_AUDIT, .types = { PG_TEXT }, .row = deletion_row
};
static const struct read_kind restrictions_read = {
	.statement = &sql_notified_restrictions, .from = READ_AUDIT, .types = { PG_TEXT }, .row = restriction_row
};

struct notifications *notifications_ask(struct call *call, const char *subject_id)
{
	struct notifications *notifications = call_alloc(call, sizeof *notifications);
	const struct cell subject = cell_text(subject_id);
	if (!notifications)
		return NULL;
	batch_read(call, &corrections_read, &notifications->corrections, (struct cell[]){ subject });
	batch_read(call, &deletions_read, &notifications->deletions, (struct cell[]){ subject });
	batch_read(call, &restrictions_read, &notifications->restrictions, (struct cell[]){ subject });
	return notifications;
}

/* ---- the messages ---- */

static int newest_first(const void *left, const void *right)
{
	const Needtoknow__V1__RecipientNotification *a = *(Needtoknow__V1__RecipientNotification *const *)left;
	const Needtoknow__V1__RecipientNotification *b = *(Needtoknow__V1__RecipientNotification *const *)right;
	if (a->request_index != b->request_index)
		return a->request_index < b->request_index ? 1 : -1;
	if (a->ledger_index != b->ledger_index)
		return a->ledger_index < b->ledger_index ? 1 : -1;
	int order = strcmp(a->disclosure_id, b->disclosure_id);
	return order ? order : strcmp(a->device, b->device);
}

Needtoknow__V1__RecipientNotification **notifications_messages(
	struct call *call, struct notifications *notifications, size_t *count)
{
	const struct list *lists[] = { &notifications->corrections, &notifications->deletions,
		&notifications->restrictions };
	size_t total = 0;
	for (size_t i = 0; i < 3; i++)
		total += lists[i]->count;
	Needtoknow__V1__RecipientNotification **all = call_alloc(call, (total + 1) * sizeof *all);
	*count = 0;
	if (!all)
		return NULL;
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < lists[i]->count; j++)
			all[(*count)++] = lists[i]->all[j];
	if (total)
		qsort(all, total, sizeof *all, newest_first);
	return all;
}
