#include "daemon/worker.h"

#include "base/log.h"
#include "daemon/signal_watch.h"
#include "rpc/methods.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PUBLISH_INTERVAL INT64_C(1000000)

struct worker {
	const struct worker_config *config;
	struct service_config service_config;
	struct loop *loop;
	struct signal_watch *signals;
	struct service *service;
	struct loop_timer publish;
	int64_t certificate_expiry;
	bool draining, listening;
};

/* ---- what the supervisor is told ---- */

static void publish(struct worker *worker)
{
	const struct service *service = worker->service;
	const struct train *train = service_train(service);
	metrics_publish(worker->config->metrics, worker->config->number,
		&(struct metrics_sample){
			.state = service_state(service),
			.why = service_why(service),
			.certificate_expiry = worker->certificate_expiry,
			.server = server_counters(service_server(service)),
			.train = train ? train_counters(train) : NULL,
			.queue = queue_counters(service_queues(service)),
			.room = ledger_room_counters(service_ledger_room(service)),
			.signer = signer_counters(service_signer(service)),
			.corrector = corrector_counters(service_corrector(service)),
			.sweeper = sweeper_counters(service_sweeper(service)),
			.eraser = eraser_counters(service_eraser(service)),
			.retention_sweeper = retention_sweeper_counters(service_retention_sweeper(service)),
		});
}

static void publish_again(void *context)
{
	struct worker *worker = context;
	publish(worker);
	loop_timer_set(&worker->publish, PUBLISH_INTERVAL);
}

static int listen_all(struct worker *worker)
{
	const struct listeners *listeners = worker->config->listeners;
	for (int i = 0; i < listeners->count && !worker->listening; i++) {
		if (service_listen(worker->service, listeners->sockets[i]) != 0)
			return -1;
	}
	worker->listening = true;
	return 0;
}

/* With others, who were asked so far. */
static void join_in(struct worker *worker)
{
	if (worker->listening || worker->draining)
		return;
	if (listen_all(worker) != 0) {
		log_error("daemon", "cannot listen: %s", strerror(errno));
		loop_stop(worker->loop);
	}
}

static void state_changed(void *context)
{
	struct worker *worker = context;
	const uint64_t one = 1;
	if (service_state(worker->service) == SERVICE_SERVING)
		join_in(worker); /* before the supervisor hears of it, and lets others go */
	publish(worker);
	/* It fails when the supervisor has not looked for 2^64 changes. */
	ssize_t ignored = write(worker->config->changed, &one, sizeof one);
	(void)ignored;
}

/* ---- signals ---- */

static void drained(void *context)
{
	struct worker *worker = context;
	loop_stop(worker->loop);
}

static void drain(struct worker *worker)
{
	uint32_t timeout_ms = worker->config->configuration->drain_timeout_ms;
	if (worker->draining)
		return; /* a terminal's Ctrl-C reaches us, and the supervisor passes its own on */
	worker->draining = true;
	log_info("daemon", "draining: calls have %u ms to finish", timeout_ms);
	service_drain(worker->service, timeout_ms, drained, worker);
	/* Whoever connects now is refused, rather than left to wait for an accept that will not come. */
	listeners_close(worker->config->listeners);
}

static void reload_tls(struct worker *worker)
{
	char error[512];
	SSL_CTX *tls = tls_server_new(&worker->config->configuration->tls, error, sizeof error);
	if (!tls) {
		log_error("daemon", "%s; the present certificate and lists stay", error);
		return;
	}
	server_set_tls(service_server(worker->service), tls);
	worker->certificate_expiry = tls_certificate_expiry(tls);
	SSL_CTX_free(tls); /* the server has its own reference */
	log_info("daemon", "new connections get the certificate and lists as they are now");
	publish(worker);
}

static void signalled(void *context, int number)
{
	struct worker *worker = context;
	switch (number) {
	case SIGTERM:
	case SIGINT:
		drain(worker);
		break;
	case SIGHUP:
		reload_tls(worker);
		service_reload(worker->service);
		break;
	case SIGUSR1:
		join_in(worker);
		break;
	default: /* SIGCHLD: it has no children. SIGUSR2: the supervisor's, should somebody send it to all of us */
		break;
	}
}

/* ---- birth ---- */

static struct service_config service_config_of(const struct worker_config *config)
{
	const struct configuration *configuration = config->configuration;
	return (struct service_config){
		.state_dsn = configuration->database.state,
		.source_dsn = configuration->database.source,
		.audit_dsn = configuration->database.audit,
		.rights_dsn = configuration->database.rights,
		.policy_file = configuration->policy,
		.trust_domain = configuration->trust_domain,
		.signing_keys = configuration->ledger.signing_keys,
		.signing_key_count = configuration->ledger.signing_key_count,
		.state_dir = configuration->state_dir,
		.strict_privileges = configuration->strict_privileges,
		.sweep_columns = configuration->sweep_columns,
		.workers = configuration->workers,
		.limits = configuration->service_limits,
		.tls = config->tls,
		.server_limits = configuration->server_limits,
		.methods = methods,
	};
}

/* Of everything but the standard streams, only what a worker uses stays open: the supervisor's ports are not its own.
 */
static int close_others(const struct worker_config *config)
{
	const struct listeners *listeners = config->listeners;
	unsigned first = STDERR_FILENO + 1;
	for (;;) {
		unsigned kept = ~0U;
		for (int i = -1; i < listeners->count; i++) {
			unsigned fd = (unsigned)(i < 0 ? config->changed : listeners->sockets[i]);
			if (fd >= first && fd < kept)
				kept = fd;
		}
		if (kept > first && close_range(first, kept - 1, 0) != 0)
			return -1;
		if (kept == ~0U)
			return 0;
		first = kept + 1;
	}
}

/* SIGTERM when the supervisor dies; nonzero when it died before that was asked for. */
static int die_with(pid_t supervisor)
{
	return prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != supervisor;
}

static int start(struct worker *worker)
{
	if (close_others(worker->config) != 0 || !(worker->loop = loop_new()) ||
		!(worker->signals = signal_watch_new(worker->loop, signalled, worker))) {
		log_error("daemon", "cannot start: %s", strerror(errno));
		return -1;
	}
	worker->service = service_new(worker->loop, &worker->service_config);
	service_on_state(worker->service, state_changed, worker);
	loop_timer_init(&worker->publish, worker->loop, publish_again, worker);
	publish_again(worker);
	if (!worker->config->others_serve && listen_all(worker) != 0) {
		log_error("daemon", "cannot listen: %s", strerror(errno));
		return -1;
	}
	log_info("daemon", "started, process %d", (int)getpid());
	return 0;
}

static void stop(struct worker *worker)
{
	if (worker->publish.event)
		loop_timer_release(&worker->publish);
	service_free(worker->service);
	signal_watch_free(worker->signals);
	loop_free(worker->loop);
}

int worker_run(const struct worker_config *config)
{
	struct worker worker = {
		.config = config,
		.service_config = service_config_of(config),
		.certificate_expiry = tls_certificate_expiry(config->tls),
	};
	int status = EXIT_FAILURE;
	char name[32];
	snprintf(name, sizeof name, "worker %u", config->number);
	log_set_process(name);
	if (die_with(config->supervisor) != 0)
		return EXIT_FAILURE;
	if (start(&worker) == 0 && loop_run(worker.loop) == 0)
		status = EXIT_SUCCESS;
	if (status == EXIT_SUCCESS)
		log_info("daemon", "ended");
	stop(&worker);
	return status;
}
