#ifndef NEEDTOKNOW_SERVICE_ENDER_H
#define NEEDTOKNOW_SERVICE_ENDER_H

#include "service/call.h"

#include <libpq-fe.h>
#include <stdbool.h>

/*
 * Ends what one reading has found to be over: each disclosure by a call of the service's own, which the train takes
 * aboard like any other. Another call may end it first; then nothing happens.
 */
enum end_why { /* the numbers of src/sql/registry.sql */
	END_EXPIRED,
	END_AGREEMENT, /* the recipient's agreement (GDPR art. 28(3)(g)) is not in force any more */
	END_SUSPENDED, /* the recipient is suspended */
	END_DEVICE, /* one device of it was revoked: it alone is to delete, and the disclosure goes on */
	END_ERASED, /* its subject was erased (art. 17): for good */
};

/* The caller's, zeroed but for `done` and its context, and there until `ending` is 0. */
struct ender {
	unsigned ending; /* calls on their way */
	bool failed; /* one of them could not be recorded; the caller clears it */
	void (*done)(void *context); /* none is on its way any more; possibly from within ender_end() */
	void *context;
};

/* One row of `reader`'s answer, with the columns of ending_read() from `column` on. */
void ender_end(struct ender *ender, struct call *reader, enum end_why why, const PGresult *result, int row, int column);

#endif
