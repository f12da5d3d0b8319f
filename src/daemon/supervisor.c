#include "daemon/supervisor.h"

#include "base/log.h"
#include "daemon/elders.h"
#include "daemon/metrics.h"
#include "daemon/monitor.h"
#include "daemon/notify.h"
#include "daemon/restart.h"
#include "daemon/signal_watch.h"
#include "daemon/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)
#define MILLISECOND INT64_C(1000)
#define KILL_GRACE (5 * SECOND) /* beyond the workers' own drain time-out */
#define STATUS_MAX 600

/* Where one worker after the other is. */
struct place {
	struct supervisor *supervisor;
	unsigned number;
	pid_t pid; /* 0: nobody */
	int64_t started;
	struct restart restart;
	struct loop_timer start;
};

struct supervisor {
	const struct configuration *configuration;
	struct listeners *listeners;
	SSL_CTX *tls; /* what a new worker starts with */
	struct metrics *metrics;
	struct loop *loop;
	struct signal_watch *signals;
	struct monitor *monitor;
	int changed; /* eventfd: a worker's state has changed */
	struct event *changed_event;
	struct loop_timer tick, kill;
	int64_t watchdog; /* microseconds within which the service manager wants to hear of us; 0: never */
	bool ready, reloading, stopping;
	const struct program *program;
	struct elders elders;
	pid_t examiner; /* looks whether the program that we are to become would start; 0: none */
	int status;
	char told[STATUS_MAX]; /* to the service manager */
	struct place places[WORKERS_MAX];
};

static struct place *place_of(struct supervisor *supervisor, pid_t pid)
{
	for (unsigned i = 0; i < supervisor->configuration->workers; i++) {
		if (supervisor->places[i].pid == pid)
			return &supervisor->places[i];
	}
	return NULL;
}

static void signal_all(const struct supervisor *supervisor, int number)
{
	for (unsigned i = 0; i < supervisor->configuration->workers; i++) {
		if (supervisor->places[i].pid > 0)
			kill(supervisor->places[i].pid, number);
	}
}

static void signal_elders(const struct supervisor *supervisor, int number)
{
	for (unsigned i = 0; i < supervisor->elders.count; i++) {
		if (supervisor->elders.all[i].pid > 0)
			kill(supervisor->elders.all[i].pid, number);
	}
}

static bool anybody_serves(const struct supervisor *supervisor)
{
	return metrics_serving(supervisor->metrics) > 0 || elders_serving(&supervisor->elders) > 0;
}

/* For a worker that drains, until it is killed. */
static int64_t drain_patience(const struct supervisor *supervisor)
{
	return supervisor->configuration->drain_timeout_ms * MILLISECOND + KILL_GRACE;
}

/* ---- what the service manager is told ---- */

/* A worker that lives and has said nothing for so long hangs; while all who live do, the manager's watchdog is to bite.
 */
static bool is_well(const struct supervisor *supervisor)
{
	int64_t oldest = time(NULL) - (supervisor->watchdog + SECOND - 1) / SECOND;
	if (metrics_alive(supervisor->metrics) == 0)
		return true; /* being restarted: that is ours to do, and we do it */
	for (unsigned number = 1; number <= supervisor->configuration->workers; number++) {
		if (metrics_is_alive(supervisor->metrics, number) &&
			metrics_heard(supervisor->metrics, number) >= oldest)
			return true;
	}
	return false;
}

static void tell_state(struct supervisor *supervisor)
{
	char status[STATUS_MAX];
	unsigned serving = metrics_serving(supervisor->metrics), workers = supervisor->configuration->workers;
	unsigned elders = elders_alive(&supervisor->elders);
	if (elders > 0)
		snprintf(status, sizeof status, "%u of %u workers serve, %u of before are left", serving, workers,
			elders);
	else if (serving > 0)
		snprintf(status, sizeof status, "%u of %u workers serve", serving, workers);
	else
		snprintf(status, sizeof status, "not serving: %s", metrics_why(supervisor->metrics));
	if (serving > 0 && !supervisor->ready) {
		supervisor->ready = true;
		log_info("daemon", "ready: %s", status);
		notify("READY=1\nSTATUS=%s", status);
	} else if (strcmp(status, supervisor->told) != 0) {
		notify("STATUS=%s", status);
	}
	memcpy(supervisor->told, status, sizeof status);
}

/* Those of before are let go as the new ones come. */
static void relieve_elders(struct supervisor *supervisor)
{
	struct elders_order order;
	while ((order = elders_next(&supervisor->elders, metrics_serving(supervisor->metrics),
			supervisor->configuration->workers, loop_now(supervisor->loop), drain_patience(supervisor)))
			.pid) {
		if (order.number == SIGKILL)
			log_error("daemon", "process %d, a worker of before, has not ended in time: it is killed",
				(int)order.pid);
		kill(order.pid, order.number);
	}
	metrics_set_elders(supervisor->metrics, elders_serving(&supervisor->elders));
}

static void tick(void *context)
{
	struct supervisor *supervisor = context;
	int64_t interval = SECOND;
	if (!supervisor->stopping)
		relieve_elders(supervisor);
	tell_state(supervisor);
	if (supervisor->reloading && supervisor->ready && !supervisor->examiner &&
		elders_alive(&supervisor->elders) == 0) {
		supervisor->reloading = false;
		notify("READY=1");
	}
	if (supervisor->watchdog > 0) {
		if (is_well(supervisor))
			notify("WATCHDOG=1");
		if (supervisor->watchdog / 2 < interval)
			interval = supervisor->watchdog / 2;
	}
	loop_timer_set(&supervisor->tick, interval);
}

static void state_changed(evutil_socket_t fd, short what, void *context)
{
	struct supervisor *supervisor = context;
	uint64_t changes;
	(void)what;
	if (read(fd, &changes, sizeof changes) != sizeof changes)
		return;
	if (!supervisor->stopping)
		relieve_elders(supervisor);
	tell_state(supervisor);
}

/* ---- the end ---- */

static void kill_rest(void *context)
{
	struct supervisor *supervisor = context;
	for (unsigned i = 0; i < supervisor->configuration->workers; i++) {
		if (supervisor->places[i].pid > 0)
			log_error("daemon", "worker %u has not ended in time: it is killed", i + 1);
	}
	signal_all(supervisor, SIGKILL);
	signal_elders(supervisor, SIGKILL);
}

static void stop_when_alone(struct supervisor *supervisor)
{
	if (metrics_alive(supervisor->metrics) == 0 && elders_alive(&supervisor->elders) == 0)
		loop_stop(supervisor->loop);
}

static void begin_stop(struct supervisor *supervisor, int status)
{
	if (supervisor->stopping)
		return;
	supervisor->stopping = true;
	supervisor->status = status;
	notify("STOPPING=1");
	listeners_close(supervisor->listeners);
	for (unsigned i = 0; i < supervisor->configuration->workers; i++)
		loop_timer_clear(&supervisor->places[i].start);
	signal_all(supervisor, SIGTERM);
	signal_elders(supervisor, SIGTERM);
	if (supervisor->examiner)
		kill(supervisor->examiner, SIGKILL);
	loop_timer_set(&supervisor->kill, drain_patience(supervisor));
	stop_when_alone(supervisor);
}

/* ---- workers come and go ---- */

static void retire(struct place *place, int64_t now)
{
	struct supervisor *supervisor = place->supervisor;
	int64_t delay = restart_died(&place->restart, place->started, now);
	log_warning("daemon", "worker %u is started again in %.1f s", place->number, (double)delay / SECOND);
	loop_timer_set(&place->start, delay);
	for (unsigned i = 0; i < supervisor->configuration->workers; i++) {
		if (metrics_has_served(supervisor->metrics, i + 1) ||
			!restart_is_hopeless(&supervisor->places[i].restart, now))
			return;
	}
	if (elders_serving(&supervisor->elders) > 0) {
		log_error("daemon",
			"every worker has died %d times within a minute and none has ever served: those of before go "
			"on serving, and a SIGUSR2 tries again",
			RESTART_DEATHS);
		return;
	}
	log_error("daemon", "every worker has died %d times within a minute and none has ever served: giving up",
		RESTART_DEATHS);
	begin_stop(supervisor, EXIT_FAILURE);
}

static void start_worker(void *context)
{
	struct place *place = context;
	struct supervisor *supervisor = place->supervisor;
	const struct worker_config config = {
		.configuration = supervisor->configuration,
		.number = place->number,
		.supervisor = getpid(),
		.listeners = supervisor->listeners,
		.others_serve = anybody_serves(supervisor),
		.tls = supervisor->tls,
		.metrics = supervisor->metrics,
		.changed = supervisor->changed,
	};
	place->started = loop_now(supervisor->loop);
	metrics_worker_started(supervisor->metrics, place->number);
	pid_t pid = fork();
	if (pid == 0)
		exit(worker_run(&config));
	if (pid < 0) {
		log_error("daemon", "worker %u cannot be started: %s", place->number, strerror(errno));
		metrics_worker_ended(supervisor->metrics, place->number);
		retire(place, place->started);
		return;
	}
	place->pid = pid;
}

/* Whoever was to listen once it serves is all that there is: callers are to be told how it is. */
static void let_somebody_listen(const struct supervisor *supervisor)
{
	if (!supervisor->stopping && !anybody_serves(supervisor))
		signal_all(supervisor, SIGUSR1);
}

static void worker_ended(struct place *place, int status)
{
	struct supervisor *supervisor = place->supervisor;
	bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
	if (WIFSIGNALED(status))
		log_error("daemon", "worker %u, process %d, was ended by signal %d, %s", place->number, (int)place->pid,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (!in_order || !supervisor->stopping)
		log_error("daemon", "worker %u, process %d, ended with exit code %d", place->number, (int)place->pid,
			WEXITSTATUS(status));
	place->pid = 0;
	metrics_worker_ended(supervisor->metrics, place->number);
	let_somebody_listen(supervisor);
	tell_state(supervisor);
	if (!supervisor->stopping) {
		retire(place, loop_now(supervisor->loop));
		return;
	}
	if (!in_order)
		supervisor->status = EXIT_FAILURE;
	stop_when_alone(supervisor);
}

static void elder_ended(struct supervisor *supervisor, pid_t pid, int status)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
		log_error("daemon", "process %d, a worker of before, has not ended in order: status %#x", (int)pid,
			(unsigned)status);
		if (supervisor->stopping)
			supervisor->status = EXIT_FAILURE;
	}
	if (supervisor->stopping) {
		stop_when_alone(supervisor);
		return;
	}
	let_somebody_listen(supervisor);
	relieve_elders(supervisor);
	tell_state(supervisor);
	if (elders_alive(&supervisor->elders) == 0)
		log_info("daemon", "the workers of before have all ended");
}

/* ---- a rolling restart ---- */

/* Has never come to serve, in its place: it is of no use to the program that we become. */
static bool is_useless(const struct supervisor *supervisor, const struct place *place)
{
	return metrics_state(supervisor->metrics, place->number) == SERVICE_STARTING ||
		!metrics_has_served(supervisor->metrics, place->number);
}

/* Whom the program that we become has to care for. -1: they are too many. */
static int list_workers(const struct supervisor *supervisor, struct handover *handover)
{
	int status = 0;
	for (unsigned i = 0; i < supervisor->elders.count; i++) {
		const struct elder *elder = &supervisor->elders.all[i];
		if (elder->pid)
			status |= handover_add(handover, elder->pid, elder->deadline != 0);
	}
	for (unsigned i = 0; i < supervisor->configuration->workers; i++) {
		const struct place *place = &supervisor->places[i];
		if (place->pid)
			status |= handover_add(handover, place->pid, is_useless(supervisor, place));
	}
	return status;
}

/* Becomes the program that lies there now. */
static void hand_over(struct supervisor *supervisor)
{
	struct handover handover = {
		.listeners = *supervisor->listeners,
		.monitor = supervisor->monitor ? monitor_socket(supervisor->monitor) : -1,
	};
	if (list_workers(supervisor, &handover) != 0) {
		log_error("daemon", "too many workers of before are left: everything stays as it is");
		return;
	}
	for (unsigned i = 0; i < handover.leaving_count; i++)
		kill(handover.leaving[i], SIGTERM);
	log_info("daemon", "handing over to %s", supervisor->program->path);
	handover_go(&handover, supervisor->program);
	log_error("daemon", "%s: %s; everything stays as it is", supervisor->program->path, strerror(errno));
}

static void examined(struct supervisor *supervisor, int status)
{
	supervisor->examiner = 0;
	if (supervisor->stopping)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		hand_over(supervisor);
	else
		log_error("daemon", "%s would not start so: everything stays as it is", supervisor->program->path);
}

static void begin_handover(struct supervisor *supervisor)
{
	if (supervisor->examiner)
		return; /* it looks already */
	log_info("daemon", "asked to restart the workers one by one: first, `%s check`", supervisor->program->path);
	notify_reloading();
	supervisor->reloading = true;
	pid_t pid = handover_examine(supervisor->program);
	if (pid > 0)
		supervisor->examiner = pid;
	else
		log_error("daemon", "cannot restart: %s", strerror(errno));
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct place *place = place_of(supervisor, pid);
		if (place)
			worker_ended(place, status);
		else if (elders_ended(&supervisor->elders, pid))
			elder_ended(supervisor, pid, status);
		else if (pid == supervisor->examiner)
			examined(supervisor, status);
		/* else, as process 1 of a container, somebody else's orphan */
	}
}

/* ---- signals ---- */

static void reload(struct supervisor *supervisor)
{
	char error[512];
	log_info("daemon", "reloading");
	notify_reloading();
	supervisor->reloading = true;
	SSL_CTX *tls = tls_server_new(&supervisor->configuration->tls, error, sizeof error);
	if (tls) {
		SSL_CTX_free(supervisor->tls);
		supervisor->tls = tls;
	} /* else the workers, who find the same, say why */
	signal_all(supervisor, SIGHUP);
	signal_elders(supervisor, SIGHUP);
}

static void signalled(void *context, int number)
{
	struct supervisor *supervisor = context;
	switch (number) {
	case SIGCHLD:
		reap(supervisor);
		break;
	case SIGHUP:
		if (!supervisor->stopping)
			reload(supervisor);
		break;
	case SIGUSR2:
		if (!supervisor->stopping)
			begin_handover(supervisor);
		break;
	case SIGUSR1: /* the workers' */
		break;
	default:
		if (!supervisor->stopping)
			log_info("daemon", "stopping: %s", strsignal(number));
		begin_stop(supervisor, EXIT_SUCCESS);
		break;
	}
}

/* ---- birth and death of it all ---- */

static int open_monitor(struct supervisor *supervisor, int socket)
{
	const struct listen_address *address = &supervisor->configuration->metrics_listen;
	if (address->port == 0) {
		if (socket >= 0)
			close(socket);
		return 0;
	}
	supervisor->monitor = monitor_new(supervisor->loop, address, socket, supervisor->metrics);
	if (supervisor->monitor)
		return 0;
	log_error("daemon", address->is_ipv6 ? "metrics_listen: [%s]:%u: %s" : "metrics_listen: %s:%u: %s",
		address->host, address->port, strerror(errno));
	/* Whoever serves already is not let down for the monitoring's sake. */
	return elders_alive(&supervisor->elders) > 0 ? 0 : -1;
}

static int prepare(struct supervisor *supervisor, const struct handover *handover)
{
	unsigned workers = supervisor->configuration->workers;
	supervisor->changed = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (supervisor->changed < 0 || !(supervisor->metrics = metrics_new(workers)) ||
		!(supervisor->loop = loop_new()) ||
		!(supervisor->signals = signal_watch_new(supervisor->loop, signalled, supervisor))) {
		log_error("daemon", "cannot start: %s", strerror(errno));
		return -1;
	}
	supervisor->changed_event = event_new(
		loop_base(supervisor->loop), supervisor->changed, EV_READ | EV_PERSIST, state_changed, supervisor);
	assert(supervisor->changed_event);
	int rc = event_add(supervisor->changed_event, NULL);
	assert(rc == 0);
	loop_timer_init(&supervisor->tick, supervisor->loop, tick, supervisor);
	loop_timer_init(&supervisor->kill, supervisor->loop, kill_rest, supervisor);
	for (unsigned i = 0; i < workers; i++) {
		struct place *place = &supervisor->places[i];
		place->supervisor = supervisor;
		place->number = i + 1;
		loop_timer_init(&place->start, supervisor->loop, start_worker, place);
		loop_timer_set(&place->start, 0);
	}
	elders_init(&supervisor->elders, handover, loop_now(supervisor->loop), drain_patience(supervisor));
	metrics_set_elders(supervisor->metrics, handover->elder_count);
	return open_monitor(supervisor, handover->monitor);
}

static void release(struct supervisor *supervisor)
{
	monitor_free(supervisor->monitor);
	for (unsigned i = 0; i < supervisor->configuration->workers; i++)
		loop_timer_release(&supervisor->places[i].start);
	loop_timer_release(&supervisor->tick);
	loop_timer_release(&supervisor->kill);
	if (supervisor->changed_event)
		event_free(supervisor->changed_event);
	signal_watch_free(supervisor->signals);
	loop_free(supervisor->loop);
	metrics_free(supervisor->metrics);
	if (supervisor->changed >= 0)
		close(supervisor->changed);
	SSL_CTX_free(supervisor->tls);
	listeners_close(supervisor->listeners);
}

int supervisor_run(const struct configuration *configuration, const struct program *program, struct handover *handover,
	SSL_CTX *tls)
{
	/* The service manager waits for the end of what it was told of before. */
	bool handed_over = handover->elder_count + handover->leaving_count > 0;
	struct supervisor supervisor = {
		.configuration = configuration,
		.program = program,
		.listeners = &handover->listeners,
		.tls = tls,
		.ready = handover->elder_count > 0,
		.reloading = handed_over,
		.watchdog = notify_watchdog(),
		.status = EXIT_FAILURE,
	};
	SSL_CTX_up_ref(tls);
	signals_block();
	if (prepare(&supervisor, handover) == 0) {
		log_info("daemon", "needtoknowd " NEEDTOKNOW_VERSION " starts %u workers, process %d",
			configuration->workers, (int)getpid());
		reap(&supervisor);
		tick(&supervisor);
		if (loop_run(supervisor.loop) != 0)
			log_error("daemon", "the event loop has failed");
		log_info("daemon", "ended");
	}
	release(&supervisor);
	return supervisor.status;
}
