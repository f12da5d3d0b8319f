#include "daemon/doctor_address.h"

#include "daemon/listeners.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_SECONDS 3
#define ANSWER_MAX 2048
#define NAME_SIZE 72

static void name_of(const struct listen_address *address, char out[NAME_SIZE])
{
	snprintf(out, NAME_SIZE, address->is_ipv6 ? "[%s]:%u" : "%s:%u", address->host, address->port);
}

static int open_socket(const struct sockaddr_storage *address)
{
	const struct timeval timeout = { .tv_sec = TIMEOUT_SECONDS };
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	}
	return fd;
}

/* Connected; -1 with errno. Connecting to 0.0.0.0 or [::] reaches this machine. */
static int connect_to(const struct listen_address *address)
{
	struct sockaddr_storage storage;
	socklen_t length;
	listeners_socket_address(address, &storage, &length);
	int fd = open_socket(&storage);
	if (fd < 0 || connect(fd, (struct sockaddr *)&storage, length) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Could the daemon bind it? 0, or an errno. Nothing listens, so nobody is accepted. */
static int try_bind(const struct listen_address *address)
{
	struct sockaddr_storage storage;
	socklen_t length;
	const int on = 1;
	listeners_socket_address(address, &storage, &length);
	int fd = open_socket(&storage);
	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (address->is_ipv6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	int result = bind(fd, (struct sockaddr *)&storage, length) == 0 ? 0 : errno;
	close(fd);
	return result;
}

/* Nobody answers there. */
static void examine_free(struct doctor *doctor, const char *about, const struct listen_address *address)
{
	char name[NAME_SIZE];
	int error = try_bind(address);
	name_of(address, name);
	if (error == 0) {
		doctor_find(doctor, DOCTOR_OK, about, "%s is free: the daemon does not run", name);
		return;
	}
	doctor_find(doctor, DOCTOR_WRONG, about, "%s: %s", name, strerror(error));
	doctor_mend(doctor, "ss -ltnp 'sport = %u' shows who has it; or set `%s` to an address of this machine",
		address->port, about);
}

/* What /readyz answers: its status and its sentence. 0, or -1. */
static int ask_ready(int fd, int *status, char sentence[ANSWER_MAX])
{
	static const char request[] = "GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n";
	char answer[ANSWER_MAX];
	size_t length = 0;
	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
		return -1;
	while (length < sizeof answer - 1) {
		ssize_t got = recv(fd, answer + length, sizeof answer - 1 - length, 0);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	answer[length] = '\0';
	const char *body = strstr(answer, "\r\n\r\n");
	const char *code = strchr(answer, ' ');
	if (!body || !code || code > body || strncmp(answer, "HTTP/1.", 7) != 0)
		return -1;
	*status = (int)strtol(code, NULL, 10);
	snprintf(sentence, ANSWER_MAX, "%.*s", (int)strcspn(body + 4, "\r\n"), body + 4);
	return 0;
}

static void examine_metrics(struct doctor *doctor, bool listening)
{
	char name[NAME_SIZE], sentence[ANSWER_MAX];
	const struct listen_address *address = &doctor_configuration(doctor)->metrics_listen;
	int status;
	name_of(address, name);
	int fd = connect_to(address);
	if (fd < 0 && !listening) {
		examine_free(doctor, "metrics_listen", address);
		return;
	}
	if (fd < 0 || ask_ready(fd, &status, sentence) != 0) {
		doctor_find(doctor, DOCTOR_UNKNOWN, "metrics_listen",
			"%s does not answer, though something listens on `listen`", name);
		doctor_mend(doctor, "systemctl status needtoknowd; journalctl -u needtoknowd -n 50");
	} else if (status == 200) {
		doctor_find(doctor, DOCTOR_OK, "metrics_listen", "the daemon answers on %s: %s", name, sentence);
	} else {
		doctor_find(doctor, DOCTOR_WRONG, "metrics_listen", "the daemon is not ready: %s", sentence);
		doctor_mend(doctor, "journalctl -u needtoknowd -n 50");
	}
	if (fd >= 0)
		close(fd);
}

void doctor_addresses(struct doctor *doctor)
{
	char name[NAME_SIZE];
	const struct configuration *configuration = doctor_configuration(doctor);
	int fd = connect_to(&configuration->listen);
	name_of(&configuration->listen, name);
	if (fd < 0) {
		examine_free(doctor, "listen", &configuration->listen);
	} else {
		doctor_find(doctor, DOCTOR_OK, "listen", "something listens on %s", name);
		close(fd);
	}
	if (configuration->metrics_listen.port != 0)
		examine_metrics(doctor, fd >= 0);
}
