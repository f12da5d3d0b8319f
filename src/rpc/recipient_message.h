#ifndef NEEDTOKNOW_RPC_RECIPIENT_MESSAGE_H
#define NEEDTOKNOW_RPC_RECIPIENT_MESSAGE_H

#include "service/batch.h"
#include "service/call.h"

#include <needtoknow/v1/registry.pb-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Recipients as their rows have them, in the call's arena. */
struct recipients {
	Needtoknow__V1__Recipient **all;
	size_t count, size; /* rows past the size are left out */
	int32_t page_size; /* the caller's own */
};

/* NULL when the call has failed. */
struct recipients *recipients_new(struct call *call, size_t size);

/* What a reading's target is filled with: one by its id; a page, by id. */
extern const struct read_kind recipient_by_id, recipients_after;

/* What cannot stand in a certificate's SPIFFE id could never be served. */
bool recipient_name_can_be_certified(const char *name);

/* NOT_FOUND. STEP_DONE. */
enum step_result recipient_unknown(struct call *call);

#endif
