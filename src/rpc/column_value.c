#include "rpc/column_value.h"

#include "rpc/request.h"

#include <string.h>

#define VALUE_MAX 65536

static const struct {
	const char *problem, *message;
} problems[] = {
	{ "BAD_VALUE", "the company's database does not take this value" }, /* first: of whatever is not here */
	{ "UNKNOWN_COLUMN", "the company's database has no such column of a client" },
	{ "MISSING_COLUMN", "the company's database needs this column of a client" },
};

enum step_result column_value_refuse(struct call *call, const char *problem, const char *column)
{
	size_t which = 0;
	for (size_t i = 0; problem && i < sizeof problems / sizeof *problems; i++)
		if (!strcmp(problem, problems[i].problem))
			which = i;
	bool named = column && *column;
	return call_refuse(call,
		&(struct status){ .code = GRPC_INVALID_ARGUMENT,
			.reason = problems[which].problem,
			.message = problems[which].message,
			.metadata = { { named ? "column" : NULL, named ? column : NULL } } });
}

bool column_value_decode(struct call *call, const Needtoknow__V1__ColumnValue *value)
{
	if (!request_identifier(call, "column", value->column))
		return false;
	if (strlen(value->value) <= VALUE_MAX && (!value->is_null || !*value->value))
		return true;
	column_value_refuse(call, "BAD_VALUE", value->column);
	return false;
}
