#include "cli/audit_register.h"

#include "cli/audit_failure.h"
#include "cli/failure.h"
#include "cli/format.h"
#include "cli/register_print.h"

#include <needtoknow/methods.h>

const struct flag audit_register_flags[] = {
	FORMAT_FLAG,
	{ 0 },
};

enum exit_code audit_register_run(const struct invocation *invocation)
{
	const Needtoknow__V1__GetRegisterRequest request = NEEDTOKNOW__V1__GET_REGISTER_REQUEST__INIT;
	const Needtoknow__V1__GetRegisterResponse *record;
	struct needtoknow_status status;
	enum format format;
	enum exit_code code = format_read(invocation, FORMAT_CSV, &format);

	if (code != EXIT_OK)
		return code;
	struct needtoknow_client *client = failure_connect(invocation, &code);
	if (client == NULL)
		return code;
	if (needtoknow_get_register(client, &request, &record, &status) != 0)
		code = audit_failure(invocation, &status);
	else
		code = register_print(record, format);
	needtoknow_client_free(client);
	return code;
}
