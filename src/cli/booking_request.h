#ifndef NEEDTOKNOW_CLI_BOOKING_REQUEST_H
#define NEEDTOKNOW_CLI_BOOKING_REQUEST_H

#include "cli/command.h"
#include "pure/identifier.h"

#include <google/protobuf/timestamp.pb-c.h>
#include <needtoknow/client.h>

/* What requests of the booking system have in common: a request id and a window. */

#define REQUEST_ID_FLAG                                                                                                \
	{                                                                                                              \
		"request-id", "ID", "repeats with the same id do it once [random, printed]", false                     \
	}

/* What --request-id says, or else a random one in `storage`. */
char *booking_request_id(const struct invocation *invocation, char storage[UUID_TEXT_LENGTH + 1]);

/* `from` and `to` of the command line. EXIT_OK, or EXIT_USAGE after a line. */
struct window {
	Google__Protobuf__Timestamp starts_at, ends_at;
};
enum exit_code booking_window(const struct invocation *invocation, struct window *out);

/* Reports a failure; one after which nobody knows whether it was done names the id to repeat it with. */
enum exit_code booking_request_failed(
	const struct invocation *invocation, const struct needtoknow_status *status, const char *request_id);

#endif
