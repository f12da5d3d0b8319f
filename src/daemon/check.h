#ifndef NEEDTOKNOW_DAEMON_CHECK_H
#define NEEDTOKNOW_DAEMON_CHECK_H

#include "daemon/configuration.h"
#include "pure/policy.h"

#include <openssl/ssl.h>

/*
 * What must be in order before the daemon serves: the same for `needtoknowd check` and for each start. Whatever is
 * wrong is said in one line each.
 */
enum check_result {
	CHECK_GOOD,
	CHECK_UNANSWERED, /* a database does not answer, so it is not known */
	CHECK_WRONG,
};

/* Takes each line; CHECK_GOOD: a warning. */
struct check_report {
	void (*say)(void *context, enum check_result result, const char *line);
	void *context;
};

/* Each of them alone; NULL when it was said what is wrong. */
SSL_CTX *check_tls(const struct configuration *configuration, const struct check_report *report);
struct policy *check_policy(const struct configuration *configuration, const struct check_report *report);

/* The files that the configuration names. The caller's are `tls` and `policy`, set when the result is CHECK_GOOD. */
enum check_result check_files(const struct configuration *configuration, const struct check_report *report,
	SSL_CTX **tls, struct policy **policy);

/*
 * The databases: our schema is there, and the policy fits the company's views and the rights upon them. It changes
 * nothing. Blocks for up to 10 s; not for a process that has a loop of its own.
 */
enum check_result check_databases(
	const struct configuration *configuration, const struct policy *policy, const struct check_report *report);

#endif
