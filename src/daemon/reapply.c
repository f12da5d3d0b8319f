#include "daemon/reapply.h"

#include "daemon/check.h"
#include "io/loop.h"
#include "pure/time.h"
#include "rpc/methods.h"
#include "service/erasure_again.h"
#include "service/erasure_list.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE (30 * TIME_SECOND)
#define PROGRESS_INTERVAL TIME_SECOND
#define FINISH_MS 2000

struct reapply {
	FILE *out, *errors;
	struct loop *loop;
	struct service *service;
	struct loop_timer patience;
	struct erasure_again again;
	bool began, over;
	int status;
	int64_t told_at;
};

static void drained(void *context)
{
	struct reapply *reapply = context;
	loop_stop(reapply->loop);
}

/* Once: what was recorded is signed, then the loop ends. */
static void end(struct reapply *reapply, int status)
{
	if (reapply->over)
		return;
	reapply->over = true;
	reapply->status = status;
	service_drain(reapply->service, FINISH_MS, drained, reapply);
}

static void tell(struct reapply *reapply)
{
	const struct erasure_again *again = &reapply->again;
	fprintf(reapply->out,
		"erasures: %" PRIu64 " in the list, %" PRIu64 " recorded again, %" PRIu64 " of them done\n",
		again->listed, again->recorded, again->completed);
	fflush(reapply->out);
}

static void progress(void *context)
{
	struct reapply *reapply = context;
	int64_t now = loop_now(reapply->loop);
	if (now - reapply->told_at < PROGRESS_INTERVAL)
		return;
	reapply->told_at = now;
	tell(reapply);
}

static void done(void *context)
{
	struct reapply *reapply = context;
	tell(reapply);
	if (reapply->again.failed)
		fprintf(reapply->errors,
			"reapply-erasures: %" PRIu64
			" could not be brought to their end: a database did not answer, or "
			"`database.rights` is not set; what is recorded again holds, and the daemon goes on with it: "
			"run this again to see\n",
			reapply->again.failed);
	end(reapply, reapply->again.failed ? -1 : 0);
}

static void state_changed(void *context)
{
	struct reapply *reapply = context;
	if (reapply->began || service_state(reapply->service) != SERVICE_SERVING)
		return;
	reapply->began = true;
	loop_timer_clear(&reapply->patience);
	if (erasure_again_start(&reapply->again, reapply->service)) {
		fputs("reapply-erasures: the erasure list in state_dir cannot be read: its lines were changed, or are "
		      "of "
		      "another database; see the log\n",
			reapply->errors);
		end(reapply, -1);
	}
}

static void impatient(void *context)
{
	struct reapply *reapply = context;
	fprintf(reapply->errors, "reapply-erasures: nothing was done: %s\n", service_why(reapply->service));
	end(reapply, -1);
}

static void run(struct reapply *reapply, const struct service_config *config)
{
	reapply->loop = loop_new();
	reapply->again = (struct erasure_again){ .progress = progress, .done = done, .context = reapply };
	reapply->service = service_new(reapply->loop, config);
	service_on_state(reapply->service, state_changed, reapply);
	loop_timer_init(&reapply->patience, reapply->loop, impatient, reapply);
	loop_timer_set(&reapply->patience, PATIENCE);
	if (loop_run(reapply->loop) != 0)
		reapply->status = -1;
	loop_timer_release(&reapply->patience);
	service_free(reapply->service);
	erasure_again_release(&reapply->again);
	loop_free(reapply->loop);
}

static void say(void *context, enum check_result result, const char *line)
{
	(void)result;
	fprintf(context, "reapply-erasures: %s\n", line);
}

/* It signs, so it writes into state_dir; what root left there the daemon could not read, and would sign no more. */
static bool is_roots_by_mistake(const struct configuration *configuration, FILE *errors)
{
	struct stat status;
	if (geteuid() != 0 || stat(configuration->state_dir, &status) != 0 || status.st_uid == 0)
		return false;
	fprintf(errors,
		"reapply-erasures: nothing was done: %s belongs to user %lu, who is the daemon's; run this as that "
		"user "
		"(setpriv --reuid=%lu --regid=%lu --clear-groups)\n",
		configuration->state_dir, (unsigned long)status.st_uid, (unsigned long)status.st_uid,
		(unsigned long)status.st_gid);
	return true;
}

int reapply_run(const struct configuration *configuration, FILE *out, FILE *errors)
{
	struct check_report report = { .say = say, .context = errors };
	struct reapply reapply = { .out = out, .errors = errors, .status = -1 };
	if (is_roots_by_mistake(configuration, errors))
		return -1;
	SSL_CTX *tls = check_tls(configuration, &report);
	if (!tls)
		return -1;
	struct service_config config = {
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
		.reapplying = true,
		.workers = configuration->workers + 1, /* a daemon may be beside it, and is told */
		.limits = configuration->service_limits,
		.tls = tls,
		.server_limits = configuration->server_limits,
		.methods = methods,
	};
	run(&reapply, &config);
	SSL_CTX_free(tls);
	return reapply.status;
}
