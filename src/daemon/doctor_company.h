#ifndef NEEDTOKNOW_DAEMON_DOCTOR_COMPANY_H
#define NEEDTOKNOW_DAEMON_DOCTOR_COMPANY_H

#include "daemon/doctor_database.h"

/*
 * The company's functions for clients' rights (pure/company_function.h): are they there as the contract has them, may
 * the role of `database.rights` execute them, nobody else of ours, and that role nothing else. Nothing is called.
 */
void doctor_company(
	struct doctor *doctor, struct doctor_database *database, const struct doctor_database *others, size_t count);

/* `database.rights` is not set: what is refused then. */
void doctor_company_missing(struct doctor *doctor, const char *about);

#endif
