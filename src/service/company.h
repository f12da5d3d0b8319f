#ifndef NEEDTOKNOW_SERVICE_COMPANY_H
#define NEEDTOKNOW_SERVICE_COMPANY_H

#include "pure/company_function.h"
#include "service/call.h"

#include <libpq-fe.h>
#include <stdbool.h>

/*
 * The company's functions for clients' rights, called with a role of their own (`database.rights`) on a connection that
 * nothing else uses and whose answers are wiped. One call, one transaction: what one client's request breaks, breaks no
 * other's. Their schema is that of the subjects' view of the policy in force.
 */
struct company;

struct company *company_new(struct service *service, const char *rights_dsn); /* NULL: there is none */
/* Its connection ends; what waits fails. */
void company_close(struct company *company);
void company_free(struct company *company);

/* False: `database.rights` is not set. */
bool company_configured(const struct company *company);
/* Answers UNAVAILABLE, RIGHTS_NOT_CONFIGURED; returns STEP_DONE. */
enum step_result company_refuse(struct call *call);

struct company_asking {
	enum company_function function;
	const struct parameter *parameters; /* binary, as many as the function takes; copied */
	/* One line of the answer; columns count from 0. What it points to goes when it returns. May be NULL. */
	void (*row)(struct call *call, void *target, const PGresult *result, int row);
	void *target; /* in the call's arena */
	/* Set when the company's database refuses what was asked (SQLSTATE classes 22, 23 and P0): a value that it does
	 * not take. NULL: the call fails then as it does when the database does not answer. */
	bool *refused;
};

/*
 * Asks. call->reads counts it until it is answered, as a reading of a batch; the call is run again then. When nobody
 * answers, call_fail() says SOURCE_UNAVAILABLE: whether something was done is not known, so the same is asked again
 * under the same request key.
 */
void company_ask(struct call *call, const struct company_asking *asking);

#endif
