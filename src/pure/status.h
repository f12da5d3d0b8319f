#ifndef NEEDTOKNOW_PURE_STATUS_H
#define NEEDTOKNOW_PURE_STATUS_H

#include <stdint.h>

/* gRPC status codes (grpc/doc/statuscodes.md). */
enum grpc_code {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

#define STATUS_METADATA_MAX 4

/*
 * How a call ended. With a reason, the answer carries google.rpc.ErrorInfo{reason, domain: "needtoknow", metadata} in
 * grpc-status-details-bin (AIP-193). The strings belong to whoever fills it and need live only until it is passed on.
 */
struct status {
	enum grpc_code code;
	const char *message; /* for people: what is wrong and what to do; NULL for none */
	uint32_t retry_after_ms; /* when to try again, in grpc-retry-pushback-ms (gRFC A6); 0: not said */
	const char *reason; /* for programs, e.g. `BAD_IDENTIFIER`; NULL: no ErrorInfo */
	struct {
		const char *key;
		const char *value;
	} metadata[STATUS_METADATA_MAX]; /* up to the first NULL key */
};

/* `INVALID_ARGUMENT`; `UNKNOWN` for a number that is none. */
const char *grpc_code_name(int code);

#endif
