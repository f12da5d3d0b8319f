#ifndef NEEDTOKNOW_SERVICE_KEY_ROTATION_H
#define NEEDTOKNOW_SERVICE_KEY_ROTATION_H

#include "service/call.h"

#include <stdbool.h>

/*
 * Says in the ledger which keys sign its checkpoints (KEY_ROTATED), unless it says so already. `verifier_keys`: a line
 * each, without the last line feed; must live until `done` is called, once: the ledger says so now, or it could not be
 * recorded.
 */
void key_rotation_record(
	struct service *service, const char *verifier_keys, void (*done)(void *context, bool recorded), void *context);

#endif
