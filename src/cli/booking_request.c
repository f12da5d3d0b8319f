#include "cli/booking_request.h"

#include "cli/failure.h"
#include "cli/options.h"
#include "pure/time.h"

#include <stdlib.h>
#include <sys/random.h>

char *booking_request_id(const struct invocation *invocation, char storage[UUID_TEXT_LENGTH + 1])
{
	unsigned char uuid[16];

	if (flag_given(invocation, "request-id"))
		return flag_text(invocation, "request-id");
	if (getentropy(uuid, sizeof uuid) != 0)
		abort(); /* a kernel without random numbers; two requests must not have one id */
	uuid[6] = (unsigned char)((uuid[6] & 0x0F) | 0x40); /* RFC 9562, version 4 */
	uuid[8] = (unsigned char)((uuid[8] & 0x3F) | 0x80);
	uuid_format(uuid, storage);
	return storage;
}

enum exit_code booking_window(const struct invocation *invocation, struct window *out)
{
	int64_t from = TIME_NONE, to = TIME_NONE;
	enum exit_code code = options_time(invocation, "from", &from, stderr);

	if (code == EXIT_OK)
		code = options_time(invocation, "to", &to, stderr);
	if (code != EXIT_OK)
		return code;
	time_to_timestamp(from, &out->starts_at);
	time_to_timestamp(to, &out->ends_at);
	return EXIT_OK;
}

enum exit_code booking_request_failed(
	const struct invocation *invocation, const struct needtoknow_status *status, const char *request_id)
{
	enum exit_code code = failure_report(invocation, status);

	if (code == EXIT_UNAVAILABLE)
		fprintf(stderr, "  the request was --request-id %s\n", request_id);
	return code;
}
