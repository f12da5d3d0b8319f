#include "rpc/recipient_message.h"

#include "service/disclosure.h"
#include "sql.h"

#include <string.h>

/* `a\nb` -> an array of strings; cuts the text in place. */
static void split_services(struct call *call, Needtoknow__V1__Recipient *recipient, char *text)
{
	size_t count = 1;
	if (!text || !*text)
		return;
	for (const char *at = text; *at; at++)
		count += *at == '\n';
	recipient->services = call_alloc(call, count * sizeof *recipient->services);
	for (char *at = text, *line; recipient->services && (line = strsep(&at, "\n"));)
		recipient->services[recipient->n_services++] = line;
}

static void recipient_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct recipients *recipients = target;
	Needtoknow__V1__Recipient *recipient = call_alloc(call, sizeof *recipient);
	if (!recipient || recipients->count == recipients->size)
		return;
	needtoknow__v1__recipient__init(recipient);
	recipient->recipient_id = (char *)row_text(result, row, 1, call);
	recipient->kind = (Needtoknow__V1__RecipientKind)row_int(result, row, 2);
	recipient->display_name = (char *)row_text(result, row, 3, call);
	split_services(call, recipient, (char *)row_text(result, row, 4, call));
	recipient->agreement_ref = (char *)row_text(result, row, 5, call);
	recipient->agreement_from = timestamp_message(call, row_time(result, row, 6));
	recipient->agreement_until = timestamp_message(call, row_time(result, row, 7));
	recipient->deliver_to = (Needtoknow__V1__DeliverTo)row_int(result, row, 8);
	recipient->suspended = row_bool(result, row, 9);
	recipients->all[recipients->count++] = recipient;
}

const struct read_kind recipient_by_id = {
	.statement = &sql_recipient_by_id,
	.from = READ_STATE,
	.types = { PG_TEXT },
	.row = recipient_row,
};

const struct read_kind recipients_after = {
	.statement = &sql_recipients_after,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_INT4 },
	.row = recipient_row,
};

struct recipients *recipients_new(struct call *call, size_t size)
{
	struct recipients *recipients = call_alloc(call, sizeof *recipients);
	if (!recipients)
		return NULL;
	recipients->all = call_alloc(call, size * sizeof *recipients->all);
	recipients->size = size;
	return call->failed ? NULL : recipients;
}

bool recipient_name_can_be_certified(const char *name)
{
	for (; *name; name++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_", *name))
			return false;
	return true;
}

enum step_result recipient_unknown(struct call *call)
{
	return call_refuse(call,
		&(struct status){ .code = GRPC_NOT_FOUND,
			.reason = "UNKNOWN_RECIPIENT",
			.message = "there is no recipient of that id" });
}
