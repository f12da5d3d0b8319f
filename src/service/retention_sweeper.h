#ifndef NEEDTOKNOW_SERVICE_RETENTION_SWEEPER_H
#define NEEDTOKNOW_SERVICE_RETENTION_SWEEPER_H

#include "service/service.h"

#include <stdint.h>

/*
 * Has the company's database erase what it may not keep any longer (GDPR art. 5(1)(e)): what an erasure held until a
 * law's date, once that has come; and, where the configuration says `sweep_columns`, what the policy's
 * retention.columns name. The elected worker asks when it is elected, when another policy comes in force and once an
 * hour, and goes on at once while there is more. Of each client it is recorded first which columns are to go
 * (needtoknow.column_sweep), then the company is asked to erase them, then an entry ERASED names those that are gone: a
 * crash in between repeats the asking, under the same request key, and leaves out no entry. Without `database.rights`
 * nothing is asked. Of whom the use is restricted (art. 18) nothing goes until that is lifted.
 */
struct retention_sweeper;

struct retention_sweeper *retention_sweeper_new(struct service *service);
void retention_sweeper_free(struct retention_sweeper *sweeper); /* NULL is allowed */

struct retention_sweeper_counters {
	uint64_t looks;
	uint64_t columns; /* of the company's that were erased */
	/* Of the last look, and 0 of who is not elected. */
	uint64_t waiting; /* clients whose columns stay, restricted or not erased by the company */
	uint64_t stopped; /* 1: something could not be asked or done; the log says why */
};
const struct retention_sweeper_counters *retention_sweeper_counters(const struct retention_sweeper *sweeper);

#endif
