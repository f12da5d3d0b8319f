#include "base/log.h"
#include "daemon/check.h"
#include "daemon/commands.h"
#include "daemon/handover.h"
#include "daemon/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPARE_FILES 64 /* a process's own: databases, events, standard streams */

/* ---- the process ---- */

/* A core holds values, and a debugger's reader too: nobody but root may look, and nothing is written (P3). */
static void refuse_dumps(void)
{
#ifdef NEEDTOKNOW_FAULT_HOOKS
	log_warning("start", "built with fault hooks, for tests: core dumps are allowed");
#else
	const char *allowed = getenv("NEEDTOKNOW_ALLOW_DUMPS");
	if (allowed && strcmp(allowed, "1") == 0) {
		log_warning(
			"start", "NEEDTOKNOW_ALLOW_DUMPS is set: core dumps are allowed, and may hold clients' data");
		return;
	}
	const struct rlimit none = { 0, 0 };
	if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		log_warning("start", "core dumps cannot be refused: %s", strerror(errno));
#endif
}

/* As many connections as the limits promise need as many descriptors. */
static void raise_file_limit(const struct configuration *configuration)
{
	struct rlimit files;
	uint32_t connections = configuration->server_limits.max_connections;
	rlim_t needed = (connections > 0 ? connections : 20000) + SPARE_FILES;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	if (files.rlim_cur < needed) {
		files.rlim_cur = needed < files.rlim_max ? needed : files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (files.rlim_cur < needed)
		log_warning("start",
			"open files are limited to %llu, so a worker takes fewer connections than max_connections",
			(unsigned long long)files.rlim_cur);
}

/* ---- what must be in order ---- */

static void say(void *context, enum check_result result, const char *line)
{
	(void)context;
	if (result == CHECK_WRONG)
		log_error("start", "%s", line);
	else
		log_warning("start", "%s", line);
}

static const struct check_report report = { .say = say };

/*
 * In a child, so that the supervisor, whose forks the workers are, has never had a connection nor an event loop of its
 * own. 0 when nothing is known to be wrong: a database that is away is waited for, by the workers.
 */
static int check_databases_apart(const struct configuration *configuration, const struct policy *policy)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit((int)check_databases(configuration, policy, &report));
	}
	if (pid < 0) {
		log_error("start", "fork: %s", strerror(errno));
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHECK_GOOD)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHECK_UNANSWERED) {
		log_warning("start",
			"no answer from a database yet: the workers go on asking, and share nothing until then");
		return 0;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != CHECK_WRONG)
		log_error("start", "the databases could not be checked: the check ended with status %#x",
			(unsigned)status);
	return -1;
}

static int serve(const struct configuration *configuration, const struct program *program, struct handover *handover,
	SSL_CTX *tls)
{
	char error[256];
	int status = EXIT_CODE_FAILED;
	raise_file_limit(configuration);
	if (handover->listeners.count > 0 ||
		listeners_open(&handover->listeners, &configuration->listen, error, sizeof error) == 0)
		status = supervisor_run(configuration, program, handover, tls);
	else
		log_error("start", "%s", error);
	listeners_close(&handover->listeners);
	return status;
}

/* What an earlier self of this process has left, or nothing. The addresses are those of then. */
static int take_handover(struct handover *handover)
{
	char error[256];
	*handover = (struct handover){ .monitor = -1 };
	if (handover_take(handover, error, sizeof error) >= 0)
		return 0;
	log_error("start", "%s", error);
	return -1;
}

/* The databases were looked at a moment ago where there was a handover, and the workers of before are waiting. */
static int start(const struct configuration *configuration, const struct program *program)
{
	struct handover handover;
	struct policy *policy = NULL;
	SSL_CTX *tls = NULL;
	int status = EXIT_CODE_FAILED;
	if (take_handover(&handover) != 0)
		return EXIT_CODE_FAILED;
	if (check_files(configuration, &report, &tls, &policy) == CHECK_GOOD &&
		(handover.listeners.count > 0 || check_databases_apart(configuration, policy) == 0)) {
		policy_free(policy);
		policy = NULL;
		if (handover.listeners.count > 0 && !listeners_are_at(&handover.listeners, &configuration->listen))
			log_warning("start", "`listen` has changed: that takes a stop and a start");
		status = serve(configuration, program, &handover, tls);
	}
	policy_free(policy);
	SSL_CTX_free(tls);
	return status;
}

int command_run(const char *const *values)
{
	char error[1024];
	struct configuration *configuration;
	struct program program;
	log_set_process("supervisor");
	if (program_of_this_process(&program, values[RUN_CONFIG]) != 0) {
		log_error("start", "/proc/self/exe: %s", strerror(errno));
		return EXIT_CODE_FAILED;
	}
	refuse_dumps();
	if (configuration_load(values[RUN_CONFIG], &configuration, error, sizeof error) != 0) {
		log_error("start", "%s", error);
		return EXIT_CODE_FAILED;
	}
	log_set_level(configuration->log_level);
	int status = start(configuration, &program);
	configuration_free(configuration);
	return status;
}
