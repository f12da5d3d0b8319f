#ifndef NEEDTOKNOW_DAEMON_DOCTOR_SOURCE_H
#define NEEDTOKNOW_DAEMON_DOCTOR_SOURCE_H

#include "daemon/doctor_database.h"

/* The company's views: do they fit the policy, how are they looked up, and does the role read them alone? */
void doctor_source(struct doctor *doctor, struct doctor_database *database);

#endif
