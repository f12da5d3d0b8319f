#include "load.h"

#include "base/memory.h"
#include "io/tls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void load_fail(struct load *load, const char *what, const struct needtoknow_status *status)
{
	if (load->failure[0] == '\0' && status != NULL)
		snprintf(load->failure, sizeof load->failure, "%s: %s %s %.400s", what,
			needtoknow_status_name(status->code), status->reason, status->message);
	else if (load->failure[0] == '\0')
		snprintf(load->failure, sizeof load->failure, "%s", what);
	loop_stop(load->loop);
}

struct channel *load_channel(struct load *load, const char *name)
{
	char certificate[1024], key[1024], error[512] = "";
	const struct load_options *options = &load->options;
	const struct tls_files files = { .certificate = certificate, .key = key, .ca = options->ca };

	snprintf(certificate, sizeof certificate, "%s/%s.crt", options->certificates, name);
	snprintf(key, sizeof key, "%s/%s.key", options->certificates, name);
	SSL_CTX *tls = tls_client_new(&files, error, sizeof error);
	if (tls == NULL) {
		load_fail(load, error, NULL);
		return NULL;
	}
	struct channel *channel =
		channel_new(load->loop, &(struct channel_config){ .address = options->address, .tls = tls });
	SSL_CTX_free(tls);
	if (channel == NULL)
		load_fail(load, "the address is malformed", NULL);
	return channel;
}

struct greeting {
	struct load *load;
	size_t missing;
};

static void on_greeted(void *context, const struct channel_reply *reply)
{
	struct greeting *greeting = context;

	if (reply->status->code != NEEDTOKNOW_OK)
		load_fail(greeting->load, "connecting", reply->status);
	else if (--greeting->missing == 0)
		loop_stop(greeting->load->loop);
}

void load_connect(struct load *load, struct channel *const *channels, size_t count)
{
	struct greeting greeting = { load, count };

	for (size_t i = 0; i < count; i++)
		channel_call(channels[i], "/grpc.health.v1.Health/Check", "", 0, on_greeted, &greeting);
	if (count > 0)
		load_run(load);
}

static void on_timeout(void *context)
{
	load_fail(context, "the phase took too long", NULL);
}

bool load_run(struct load *load)
{
	struct loop_timer timeout;

	if (load->failure[0] != '\0')
		return false;
	loop_timer_init(&timeout, load->loop, on_timeout, load);
	loop_timer_set(&timeout, (int64_t)load->options.timeout * 1000000);
	if (loop_run(load->loop) != 0)
		load_fail(load, "the event loop failed", NULL);
	loop_timer_release(&timeout);
	return load->failure[0] == '\0';
}

struct channel_call *load_call(struct channel *channel, const char *path, const ProtobufCMessage *request,
	channel_on_message *on_message, channel_done *done, void *context)
{
	size_t length = protobuf_c_message_get_packed_size(request);
	uint8_t *bytes = mem_alloc(length + 1);

	protobuf_c_message_pack(request, bytes);
	const struct channel_request call = {
		.path = path,
		.message = bytes,
		.length = length,
		.on_message = on_message,
		.done = done,
		.context = context,
	};
	struct channel_call *started = channel_start(channel, &call);
	mem_free(bytes);
	return started;
}

int64_t load_index(const struct load *load, const char *booking_id)
{
	char *end;

	if (booking_id[0] != 'B')
		return -1;
	uint64_t number = strtoull(booking_id + 1, &end, 10);
	if (*end != '\0' || number == 0 || number > load->options.clients)
		return -1;
	uint64_t index = (number - 1 + load->options.clients - load->first) % load->options.clients;
	return index < load->count ? (int64_t)index : -1;
}
