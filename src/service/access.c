#include "service/access.h"

#include "service/batch.h"
#include "sql.h"

static void access_row(struct call *call, void *target, const PGresult *result, int row)
{
	struct access *access = target;
	(void)call;
	access->suspended = row_bool(result, row, 1);
	access->every_device = row_bool(result, row, 2);
	access->known = row_bool(result, row, 3);
	access->revoked = row_bool(result, row, 4);
}

static const struct read_kind recipient_access = {
	.statement = &sql_recipient_access,
	.from = READ_STATE,
	.types = { PG_TEXT, PG_TEXT },
	.row = access_row,
};

void access_ask(struct call *call, struct access *out)
{
	batch_read(call, &recipient_access, out, (struct cell[]){ cell_text(call->name), cell_text(call->device) });
}

bool access_is_barred(const struct access *access)
{
	return access->suspended || access->revoked;
}

enum step_result access_refuse(struct call *call, const struct access *access)
{
	static const struct status suspended = { .code = GRPC_PERMISSION_DENIED,
		.reason = "RECIPIENT_SUSPENDED",
		.message = "this recipient is suspended; it gets withdrawals and may confirm deletion, nothing else" };
	static const struct status revoked = { .code = GRPC_PERMISSION_DENIED,
		.reason = "DEVICE_REVOKED",
		.message = "this device is revoked; it gets withdrawals and may confirm deletion, nothing else" };
	return call_refuse(call, access->suspended ? &suspended : &revoked);
}

const char *access_queue(const struct access *access, const struct call *call)
{
	return access->every_device ? call->device : "";
}

void access_board_device(struct departure *departure, const char *recipient_id, const char *device)
{
	departure_write(departure, WRITE_DEVICE,
		(struct cell[]){ cell_text(recipient_id), cell_text(device), cell_number(departure_now(departure)) });
}
