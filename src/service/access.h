#ifndef NEEDTOKNOW_SERVICE_ACCESS_H
#define NEEDTOKNOW_SERVICE_ACCESS_H

#include "service/call.h"
#include "service/departure.h"

#include <stdbool.h>

/*
 * What the app that calls may be served with, asked of the database at each call (P4, P7): a suspended recipient and a
 * revoked device get withdrawals and confirm deletion, nothing else.
 */
struct access {
	bool suspended, revoked; /* the recipient; this device of it */
	bool every_device; /* each of the recipient's devices gets all */
	bool known; /* the device was seen before */
};

/* Asks who the caller is, by its name and device. */
void access_ask(struct call *call, struct access *out);
bool access_is_barred(const struct access *access);
/* Answers PERMISSION_DENIED, with which of the two it is. STEP_DONE. */
enum step_result access_refuse(struct call *call, const struct access *access);

/* Of which queue: "", that of any device, or the caller's own. */
const char *access_queue(const struct access *access, const struct call *call);

/* The device is known from now on, and is due what every device gets. Adds nothing to one that is known. */
void access_board_device(struct departure *departure, const char *recipient_id, const char *device);

#endif
