#include "client/channel.h"

#include "base/memory.h"
#include "client/backoff.h"
#include "client/call.h"
#include "client/status.h"
#include "client/wire.h"

#include <inttypes.h>
#include <time.h>

#define CONNECT_TIMEOUT_MS 10000
#define KEEPALIVE_MS 30000
#define MAX_MESSAGE_BYTES (4 * 1024 * 1024)
#define BACKOFF_FIRST INT64_C(200000)
#define BACKOFF_LONGEST INT64_C(30000000)
/* A call that so many connections have not touched is the caller's to try again. */
#define REFUSALS_MAX 3

struct old_wire {
	struct wire *wire;
	struct old_wire *next;
};

struct channel {
	struct loop *loop;
	struct wire_config wire_config;
	char *server_name;
	size_t max_message;

	struct wire *wire; /* takes new calls, now or when it is ready; NULL: none is wanted or possible yet */
	struct old_wire *old; /* take no more calls; freed when closed */
	struct call_list waiting;
	size_t open;

	struct backoff backoff;
	struct loop_timer retry;
	bool holding; /* until the retry timer fires */
	bool changed; /* since the turn's end began: it has more to do */
	struct loop_hook hook;

	void (*on_connected)(void *context); /* NULL: nobody asks */
	void *context;
};

static int64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void retire(struct channel *channel)
{
	struct old_wire *old = mem_alloc(sizeof *old);

	old->wire = channel->wire;
	old->next = channel->old;
	channel->old = old;
	channel->wire = NULL;
	channel->changed = true;
}

/* Tells the caller, once. The call itself lives until its stream is closed. */
static void conclude(
	struct channel_call *call, const struct needtoknow_status *status, const uint8_t *message, size_t length)
{
	struct channel_reply reply = { status, message, length };
	channel_done *done = call->done;

	if (done == NULL)
		return;
	call->done = NULL;
	call->channel->open--;
	if (call->deadline != INT64_MAX)
		loop_timer_release(&call->timer);
	done(call->context, &reply);
}

static void fail(struct channel_call *call, const struct needtoknow_status *status)
{
	conclude(call, status, NULL, 0);
	call_free(call);
}

static void on_deadline(void *context)
{
	struct channel_call *call = context;
	struct channel *channel = call->channel;
	struct needtoknow_status status;

	client_status_set(&status, NEEDTOKNOW_DEADLINE_EXCEEDED, NULL, "no answer in time");
	if (call->wire == NULL) {
		call_list_remove(&channel->waiting, call);
		fail(call, &status);
		return;
	}
	wire_reset(call->wire, call);
	conclude(call, &status, NULL, 0);
}

static void on_call_closed(void *context, struct channel_call *call, uint32_t http2_error)
{
	struct channel *channel = context;
	struct needtoknow_status status;
	const uint8_t *message = NULL;
	size_t length = 0;

	if (call->done == NULL) {
		call_free(call);
		return;
	}
	bool untouched = call->unsent || call_refused(http2_error);
	if (untouched && !call->answered && call->refused < REFUSALS_MAX) {
		call->refused++;
		call_rewind(call);
		call_list_prepend(&channel->waiting, call);
		channel->changed = true;
		return;
	}
	call_outcome(call, http2_error, &status, &message, &length);
	conclude(call, &status, message, length);
	call_free(call);
}

static void on_ready(void *context, struct wire *wire)
{
	struct channel *channel = context;

	(void)wire;
	channel->changed = true;
}

static void on_proven(void *context, struct wire *wire)
{
	struct channel *channel = context;

	(void)wire;
	backoff_reset(&channel->backoff);
	if (channel->on_connected != NULL)
		channel->on_connected(channel->context);
}

static void on_closed(void *context, struct wire *wire, const struct needtoknow_status *why)
{
	struct channel *channel = context;
	struct channel_call *call;

	if (wire != channel->wire)
		return;
	retire(channel);
	if (wire_proven(wire)) /* it was good: calls that wait get another one at once */
		return;
	channel->holding = true;
	loop_timer_set(&channel->retry, backoff_next(&channel->backoff));
	/* What their callbacks start comes behind them, and belongs to the next attempt. */
	for (call = channel->waiting.first; call != NULL; call = call->next)
		call->doomed = true;
	while ((call = channel->waiting.first) != NULL && call->doomed) {
		call_list_remove(&channel->waiting, call);
		fail(call, why);
	}
}

static void on_call_lost(void *context, struct channel_call *call, const struct needtoknow_status *why)
{
	(void)context;
	fail(call, why);
}

static void on_retry(void *context)
{
	struct channel *channel = context;

	channel->holding = false;
}

static void connect_wire(struct channel *channel)
{
	const struct wire_handler handler = { on_ready, on_proven, on_call_closed, on_closed, on_call_lost, channel };

	channel->wire = wire_new(channel->loop, &channel->wire_config, &handler);
}

static void submit_waiting(struct channel *channel)
{
	size_t room = wire_room(channel->wire);
	int64_t now = clock_now();

	while (channel->waiting.count > 0 && room-- > 0) {
		struct channel_call *call = channel->waiting.first;
		call_list_remove(&channel->waiting, call);
		if (wire_submit(channel->wire, call, now) != 0) {
			call_list_prepend(&channel->waiting, call);
			retire(channel);
			return;
		}
	}
}

static void flush(struct channel *channel)
{
	struct old_wire **link = &channel->old;

	if (channel->wire != NULL)
		wire_flush(channel->wire);
	for (struct old_wire *old = channel->old; old != NULL; old = old->next)
		wire_flush(old->wire);
	while (*link != NULL) {
		struct old_wire *old = *link;
		if (!wire_closed(old->wire)) {
			link = &old->next;
			continue;
		}
		*link = old->next;
		wire_free(old->wire);
		mem_free(old);
	}
}

/* The end of a turn of the loop. */
static int on_turn(void *context)
{
	struct channel *channel = context;

	channel->changed = false;
	if (channel->wire != NULL && wire_draining(channel->wire))
		retire(channel);
	if (channel->wire == NULL && channel->waiting.count > 0 && !channel->holding)
		connect_wire(channel);
	if (channel->wire != NULL && channel->waiting.count > 0)
		submit_waiting(channel);
	flush(channel);
	return channel->changed;
}

struct channel *channel_new(struct loop *loop, const struct channel_config *config)
{
	struct channel *channel;
	struct address address;

	if (address_parse(config->address, &address) != 0)
		return NULL;
	channel = mem_calloc(1, sizeof *channel);
	channel->loop = loop;
	channel->server_name = mem_strdup(config->server_name != NULL ? config->server_name : address.host);
	channel->max_message = config->max_message_bytes != 0 ? config->max_message_bytes : MAX_MESSAGE_BYTES;
	channel->backoff = (struct backoff){ BACKOFF_FIRST, BACKOFF_LONGEST, 0 };
	uint32_t connect_ms = config->connect_timeout_ms != 0 ? config->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	uint32_t keepalive_ms = config->keepalive_ms != 0 ? config->keepalive_ms : KEEPALIVE_MS;
	channel->wire_config = (struct wire_config){
		.address = address,
		.server_name = channel->server_name,
		.tls = config->tls,
		.connect_timeout = (int64_t)connect_ms * 1000,
		.keepalive = (int64_t)keepalive_ms * 1000,
	};
	SSL_CTX_up_ref(config->tls);
	loop_timer_init(&channel->retry, loop, on_retry, channel);
	channel->hook = (struct loop_hook){ .run = on_turn, .context = channel };
	loop_hook_add(loop, LOOP_PHASE_SERVER, &channel->hook);
	return channel;
}

void channel_watch(struct channel *channel, void (*on_connected)(void *context), void *context)
{
	channel->on_connected = on_connected;
	channel->context = context;
}

/* A call that nobody waits for any more. */
static void discard(struct channel_call *call)
{
	if (call->done != NULL && call->deadline != INT64_MAX)
		loop_timer_release(&call->timer);
	call_free(call);
}

static void discard_wire(struct wire *wire)
{
	struct channel_call *call;

	if (wire == NULL)
		return;
	while ((call = wire_abandon(wire)) != NULL)
		discard(call);
	wire_free(wire);
}

void channel_free(struct channel *channel)
{
	struct channel_call *call;

	if (channel == NULL)
		return;
	loop_hook_remove(channel->loop, LOOP_PHASE_SERVER, &channel->hook);
	discard_wire(channel->wire);
	while (channel->old != NULL) {
		struct old_wire *old = channel->old;
		channel->old = old->next;
		discard_wire(old->wire);
		mem_free(old);
	}
	while ((call = channel->waiting.first) != NULL) {
		call_list_remove(&channel->waiting, call);
		discard(call);
	}
	loop_timer_release(&channel->retry);
	SSL_CTX_free(channel->wire_config.tls);
	mem_free(channel->server_name);
	mem_free(channel);
}

struct channel_call *channel_start(struct channel *channel, const struct channel_request *request)
{
	struct channel_call *call = call_new(request, channel->max_message);

	call->channel = channel;
	if (request->timeout > 0) {
		call->deadline = clock_now() + request->timeout;
		loop_timer_init(&call->timer, channel->loop, on_deadline, call);
		loop_timer_set(&call->timer, request->timeout);
	}
	call_list_append(&channel->waiting, call);
	channel->open++;
	channel->changed = true;
	return call;
}

struct channel_call *channel_call(struct channel *channel, const char *path, const void *message, size_t length,
	channel_done *done, void *context)
{
	const struct channel_request request = {
		.path = path,
		.message = message,
		.length = length,
		.done = done,
		.context = context,
	};

	return channel_start(channel, &request);
}

void channel_cancel(struct channel_call *call)
{
	struct channel *channel = call->channel;

	if (call->done == NULL)
		return;
	call->done = NULL;
	channel->open--;
	if (call->deadline != INT64_MAX)
		loop_timer_release(&call->timer);
	if (call->wire != NULL) {
		wire_reset(call->wire, call);
		return;
	}
	call_list_remove(&channel->waiting, call);
	call_free(call);
}

size_t channel_open_calls(const struct channel *channel)
{
	return channel->open;
}
