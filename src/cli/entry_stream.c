#include "cli/entry_stream.h"

#include "cli/audit_failure.h"
#include "cli/failure.h"
#include "cli/output.h"
#include "client/backoff.h"

#include <needtoknow/methods.h>

#include <signal.h>
#include <string.h>
#include <time.h>

/* For the signal handler, which is given nothing. */
static struct needtoknow_client *running;
static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
	needtoknow_client_interrupt(running);
}

static void handle_signals(struct needtoknow_client *client)
{
	struct sigaction action = { .sa_handler = client != NULL ? stop : SIG_DFL };

	running = client;
	stopped = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* One run of the stream, from one connection to its end. */
struct progress {
	struct entry_stream *stream;
	uint64_t printed; /* of all runs */
	bool came; /* something did, in this run */
	bool full; /* as many as were asked for, and there are more */
	bool broken; /* standard output is gone */
};

static int on_message(void *context, const ProtobufCMessage *message)
{
	const Needtoknow__V1__StreamEntriesResponse *response = (const Needtoknow__V1__StreamEntriesResponse *)message;
	struct progress *progress = context;
	uint64_t limit = progress->stream->limit;
	size_t count = response->n_entries;

	progress->came = true;
	if (count == 0)
		return 0;
	if (limit != 0 && count > limit - progress->printed) {
		count = (size_t)(limit - progress->printed);
		progress->full = true;
	}
	if (entry_print(progress->stream->printer, response->entries, count) != 0) {
		progress->broken = true;
		return -1;
	}
	progress->printed += count;
	if (count > 0)
		progress->stream->request.from_index = response->entries[count - 1]->index + 1;
	/* One that follows need not wait to see whether there are more. */
	return progress->full || (progress->stream->request.follow && limit != 0 && progress->printed == limit);
}

/* True when a signal asked for the end. Signals wait meanwhile, so that none comes between the look and the wait. */
static bool wait_or_stop(int64_t microseconds)
{
	struct timespec timeout = { .tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000 };
	sigset_t signals, before;
	bool stop_now;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	stop_now = stopped || sigtimedwait(&signals, NULL, &timeout) > 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return stop_now;
}

static void say_again(const struct invocation *invocation, const struct needtoknow_status *status, int64_t wait)
{
	fprintf(stderr, "needtoknow %s: ", invocation->command->name);
	output_text(stderr, status->message[0] != '\0' ? status->message : needtoknow_status_name(status->code));
	fprintf(stderr, "; again in %u.%u s\n", (unsigned)(wait / 1000000), (unsigned)(wait % 1000000 / 100000));
}

/* A service that is restarted comes back; an address where nobody has ever answered is a mistake. */
static bool comes_back(const struct needtoknow_status *status, bool ever)
{
	if (failure_code(status) != EXIT_UNAVAILABLE)
		return false;
	return ever || strcmp(status->reason, NEEDTOKNOW_REASON_CONNECTION_FAILED) != 0;
}

static enum exit_code follow(const struct invocation *invocation, struct needtoknow_client *client,
	struct entry_stream *stream, struct progress *progress)
{
	struct backoff backoff = { .first = 500000, .longest = 30000000 };
	struct needtoknow_status status;
	bool ever = false;

	for (;;) {
		progress->came = false;
		int result = needtoknow_stream(client, &needtoknow_method_stream_entries, &stream->request.base,
			on_message, progress, &status);
		if (stopped)
			return EXIT_OK;
		if (progress->broken)
			return EXIT_FAILED;
		if (result == 0)
			return EXIT_OK;
		ever = ever || progress->came;
		if (!stream->request.follow || !comes_back(&status, ever))
			return audit_failure(invocation, &status);
		ever = true;
		if (progress->came)
			backoff_reset(&backoff);
		int64_t wait = backoff_next(&backoff);
		say_again(invocation, &status, wait);
		if (wait_or_stop(wait))
			return EXIT_OK;
	}
}

enum exit_code entry_stream_run(
	const struct invocation *invocation, struct needtoknow_client *client, struct entry_stream *stream)
{
	struct progress progress = { .stream = stream };

	handle_signals(client);
	enum exit_code code = follow(invocation, client, stream, &progress);
	handle_signals(NULL);
	if (code == EXIT_OK && progress.full && !stream->request.follow)
		fprintf(stderr, "There are more: --limit 0 lists all.\n");
	return code;
}
