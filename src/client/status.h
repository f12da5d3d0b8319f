#ifndef NEEDTOKNOW_CLIENT_STATUS_H
#define NEEDTOKNOW_CLIENT_STATUS_H

#include <needtoknow/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Filling a needtoknow_status: from our own words, and from what an HTTP/2 answer carries (grpc/doc/PROTOCOL-HTTP2.md).
 */

void client_status_clear(struct needtoknow_status *status);

/* `reason` may be NULL. */
void client_status_set(struct needtoknow_status *status, int code, const char *reason, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The value of grpc-status: a decimal number of gRPC's; UNKNOWN for anything else. */
int client_status_code(const char *text, size_t length);

/*
 * The value of grpc-message, percent-decoded. As gRPC asks, a malformed escape is kept as it stands. What is no UTF-8
 * becomes `?`.
 */
void client_status_message(struct needtoknow_status *status, const char *text, size_t length);

/*
 * The value of grpc-status-details-bin: base64, padded or not, of a google.rpc.Status. Its first ErrorInfo gives reason
 * and metadata. Anything malformed is left out: code and message stand without it.
 */
void client_status_details(struct needtoknow_status *status, const char *text, size_t length);

/* What an answer without grpc-status means (grpc/doc/http-grpc-status-mapping.md). */
int client_status_from_http(int http_status);
/* What a stream's reset means (grpc/doc/PROTOCOL-HTTP2.md, "Errors"). */
int client_status_from_reset(uint32_t http2_error);

#endif
