#include "client/endpoint.h"

#include "client/status.h"
#include "io/tls.h"
#include "pure/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

int needtoknow_protect_memory(void)
{
	int dumpable = prctl(PR_SET_DUMPABLE, 0);

	return tls_wipe_on_free() == 0 && dumpable == 0 ? 0 : -1;
}

static void on_woken(evutil_socket_t socket, short what, void *context)
{
	struct endpoint *endpoint = context;
	uint64_t count;

	(void)what;
	if (read(socket, &count, sizeof count) == (ssize_t)sizeof count)
		endpoint->on_wake(endpoint->context);
}

static int load_tls(
	struct endpoint *endpoint, const struct needtoknow_options *options, struct needtoknow_status *status)
{
	const struct tls_files files = {
		.certificate = options->certificate,
		.key = options->key,
		.ca = options->ca,
	};
	char error[512] = "";

	endpoint->tls = tls_client_new(&files, error, sizeof error);
	if (endpoint->tls != NULL)
		return 0;
	client_status_set(status, NEEDTOKNOW_INVALID_ARGUMENT, NEEDTOKNOW_REASON_BAD_CREDENTIALS, "%s", error);
	return -1;
}

static int open_channel(
	struct endpoint *endpoint, const struct needtoknow_options *options, struct needtoknow_status *status)
{
	const struct channel_config config = {
		.address = options->address != NULL ? options->address : "",
		.server_name = options->server_name,
		.tls = endpoint->tls,
		.connect_timeout_ms = options->connect_timeout_ms,
	};

	endpoint->channel = channel_new(endpoint->loop, &config);
	if (endpoint->channel != NULL)
		return 0;
	client_status_set(status, NEEDTOKNOW_INVALID_ARGUMENT, NEEDTOKNOW_REASON_BAD_ADDRESS,
		"`%s` is not an address: it should be host:port, as needtoknow.example:8443 or [::1]:8443",
		config.address);
	return -1;
}

int endpoint_init(struct endpoint *endpoint, const struct needtoknow_options *options, void (*on_wake)(void *context),
	void *context, struct needtoknow_status *status)
{
	*endpoint = (struct endpoint){ .wake_socket = -1, .on_wake = on_wake, .context = context };
	if (load_tls(endpoint, options, status) != 0)
		goto fail;
	endpoint->wake_socket = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	endpoint->loop = loop_new();
	if (endpoint->wake_socket >= 0 && endpoint->loop != NULL)
		endpoint->wake = event_new(
			loop_base(endpoint->loop), endpoint->wake_socket, EV_READ | EV_PERSIST, on_woken, endpoint);
	if (endpoint->wake == NULL || event_add(endpoint->wake, NULL) != 0) {
		client_status_set(
			status, NEEDTOKNOW_RESOURCE_EXHAUSTED, NULL, "cannot watch sockets: %s", strerror(errno));
		goto fail;
	}
	if (open_channel(endpoint, options, status) != 0)
		goto fail;
	return 0;
fail:
	endpoint_release(endpoint);
	return -1;
}

void endpoint_release(struct endpoint *endpoint)
{
	channel_free(endpoint->channel);
	if (endpoint->wake != NULL)
		event_free(endpoint->wake);
	loop_free(endpoint->loop);
	if (endpoint->wake_socket >= 0)
		close(endpoint->wake_socket);
	SSL_CTX_free(endpoint->tls);
}

void endpoint_wake(struct endpoint *endpoint)
{
	const uint64_t one = 1;
	int saved = errno;

	/* Full only when it was woken 2^64 times and never looked. */
	ssize_t written = write(endpoint->wake_socket, &one, sizeof one);
	(void)written;
	errno = saved;
}

const ProtobufCMessage *endpoint_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length,
	struct arena *arena, struct needtoknow_status *status)
{
	ProtobufCMessage *message;
	const char *field;

	switch (message_unpack(type, bytes, length, arena, &message, &field)) {
	case MESSAGE_OK:
		return message;
	case MESSAGE_BAD_TEXT:
		client_status_set(status, NEEDTOKNOW_INTERNAL, NEEDTOKNOW_REASON_BAD_ANSWER,
			"the answer's %s is not text", field);
		return NULL;
	case MESSAGE_TOO_LARGE:
		client_status_set(status, NEEDTOKNOW_RESOURCE_EXHAUSTED, NEEDTOKNOW_REASON_BAD_ANSWER,
			"the answer needs too much memory: ask for smaller pages");
		return NULL;
	default:
		client_status_set(status, NEEDTOKNOW_INTERNAL, NEEDTOKNOW_REASON_BAD_ANSWER, "the answer is not a %s",
			type->name);
		return NULL;
	}
}
