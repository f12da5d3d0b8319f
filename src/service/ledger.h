#ifndef NEEDTOKNOW_SERVICE_LEDGER_H
#define NEEDTOKNOW_SERVICE_LEDGER_H

#include "service/call.h"
#include "service/departure.h"

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

/* Reading the ledger's packed rows. */

/* One entry: where it stands, and the bytes that its leaf covers (in the call's arena). */
struct ledger_line {
	struct recorded recorded; /* `at` too, from the entry itself */
	const uint8_t *body;
	size_t length;
};

/*
 * Asks for entry number `index`; `out->length` is 0 when its body is gone, and so is then `recorded.at`: only its leaf
 * is known. `out` must stay until the call's reads are back.
 */
void ledger_read(struct call *call, uint64_t index, struct ledger_line *out);

#endif
