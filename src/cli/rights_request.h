#ifndef NEEDTOKNOW_CLI_RIGHTS_REQUEST_H
#define NEEDTOKNOW_CLI_RIGHTS_REQUEST_H

#include "cli/booking_request.h"
#include "cli/command.h"

#include <needtoknow/client.h>
#include <needtoknow/v1/rights.pb-c.h>

/* What every request of a client's has in common: under which id, through which channel, received when. */

#define RIGHTS_CHANNEL_FLAG(needed)                                                                                    \
	{                                                                                                              \
		"channel", "CHANNEL", "how the client asked: account, email, phone, letter or in-person", needed       \
	}
#define RIGHTS_RECEIVED_FLAG                                                                                           \
	{                                                                                                              \
		"received", "TIME", "when, from which the month of art. 12(3) counts [now]", false                     \
	}

struct rights_request {
	char *request_id;
	Needtoknow__V1__Channel channel;
	Google__Protobuf__Timestamp received_at;
	char storage[UUID_TEXT_LENGTH + 1];
};

/* From the flags. EXIT_OK, or EXIT_USAGE after a line. */
enum exit_code rights_request_read(const struct invocation *invocation, struct rights_request *out);
/* One of its names, `in-person` too. 0 or -1. */
int rights_channel_parse(const char *text, Needtoknow__V1__Channel *out);

/* What a request that failed should end with. */
enum exit_code rights_failure_code(const struct needtoknow_status *status);
/* Reports it; one of which nobody knows whether it was done is named with what repeats it. `request` may be NULL. */
enum exit_code rights_failed(const struct invocation *invocation, const struct needtoknow_status *status,
	const struct rights_request *request);

/* The subject whom a request without --file is about. EXIT_OK, or EXIT_USAGE after a line. */
enum exit_code rights_subject(const struct invocation *invocation, char **out);

/* A line that says that two flags do not go together. EXIT_USAGE. */
enum exit_code rights_contradict(const struct invocation *invocation, const char *flag, const char *other);

/* The answer as one JSON object, with the id under which it was asked. */
enum exit_code rights_print_json(const ProtobufCMessage *response, const char *request_id);

#endif
