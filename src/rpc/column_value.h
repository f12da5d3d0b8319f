#ifndef NEEDTOKNOW_RPC_COLUMN_VALUE_H
#define NEEDTOKNOW_RPC_COLUMN_VALUE_H

#include "service/call.h"

#include <needtoknow/v1/rights.pb-c.h>
#include <stdbool.h>

/* A value of a client's on its way into the company's database, through functions of the company's. */

/* Its name and size, and that what is NULL has no value. False: answered INVALID_ARGUMENT, the column in the metadata.
 */
bool column_value_decode(struct call *call, const Needtoknow__V1__ColumnValue *value);

/* Answers INVALID_ARGUMENT: UNKNOWN_COLUMN, MISSING_COLUMN or BAD_VALUE, as the company's function says; whatever else
 * it says is BAD_VALUE. No value is in what is answered. Returns STEP_DONE. */
enum step_result column_value_refuse(struct call *call, const char *problem, const char *column);

#endif
