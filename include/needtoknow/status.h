#ifndef NEEDTOKNOW_STATUS_H
#define NEEDTOKNOW_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How a call ended. It holds its texts itself, so there is nothing to free; a text that is too long is cut at a whole
 * character. The texts come from the other side: whoever shows them on a terminal escapes control characters first.
 */
#define NEEDTOKNOW_METADATA_MAX 4

struct needtoknow_status {
	int code; /* gRPC's number (grpc/doc/statuscodes.md); 0 is OK */
	char message[1024]; /* for people: what is wrong and what to do; "" for none */
	char reason[64]; /* for programs: google.rpc.ErrorInfo's reason (AIP-193), or one of those below; "" for none */
	size_t metadata_count;
	struct needtoknow_metadata {
		char key[64];
		char value[256];
	} metadata[NEEDTOKNOW_METADATA_MAX];
};

/* The codes that a caller tells apart. */
enum needtoknow_code {
	NEEDTOKNOW_OK = 0,
	NEEDTOKNOW_CANCELLED = 1,
	NEEDTOKNOW_UNKNOWN = 2,
	NEEDTOKNOW_INVALID_ARGUMENT = 3,
	NEEDTOKNOW_DEADLINE_EXCEEDED = 4,
	NEEDTOKNOW_NOT_FOUND = 5,
	NEEDTOKNOW_ALREADY_EXISTS = 6,
	NEEDTOKNOW_PERMISSION_DENIED = 7,
	NEEDTOKNOW_RESOURCE_EXHAUSTED = 8,
	NEEDTOKNOW_FAILED_PRECONDITION = 9,
	NEEDTOKNOW_ABORTED = 10,
	NEEDTOKNOW_OUT_OF_RANGE = 11,
	NEEDTOKNOW_UNIMPLEMENTED = 12,
	NEEDTOKNOW_INTERNAL = 13,
	NEEDTOKNOW_UNAVAILABLE = 14,
	NEEDTOKNOW_DATA_LOSS = 15,
	NEEDTOKNOW_UNAUTHENTICATED = 16,
};

/* Reasons that this library gives when no answer came. All others are the server's, and are listed with the methods. */
#define NEEDTOKNOW_REASON_BAD_ADDRESS "BAD_ADDRESS" /* INVALID_ARGUMENT: not host:port */
#define NEEDTOKNOW_REASON_BAD_CREDENTIALS "BAD_CREDENTIALS" /* INVALID_ARGUMENT: a file is missing or unreadable */
#define NEEDTOKNOW_REASON_CONNECTION_FAILED                                                                            \
	"CONNECTION_FAILED" /* UNAVAILABLE: nobody answers there; nothing was sent */
#define NEEDTOKNOW_REASON_CONNECTION_LOST "CONNECTION_LOST" /* UNAVAILABLE: whether it was done is unknown */
#define NEEDTOKNOW_REASON_SERVER_NOT_TRUSTED                                                                           \
	"SERVER_NOT_TRUSTED" /* UNAUTHENTICATED: our CA did not sign its certificate */
#define NEEDTOKNOW_REASON_CLIENT_NOT_TRUSTED "CLIENT_NOT_TRUSTED" /* UNAUTHENTICATED: it refuses our certificate */
#define NEEDTOKNOW_REASON_BAD_ANSWER "BAD_ANSWER" /* INTERNAL: not gRPC, or not the message expected */

/* `INVALID_ARGUMENT`; `UNKNOWN` for a number that is none. */
const char *needtoknow_status_name(int code);

/* The value of one key, or NULL. It lives as long as the status. */
const char *needtoknow_status_metadata(const struct needtoknow_status *status, const char *key);

/* May the same call succeed later, with nothing changed on our side? */
int needtoknow_status_transient(const struct needtoknow_status *status);

#ifdef __cplusplus
}
#endif

#endif
