#ifndef NEEDTOKNOW_DAEMON_DOCTOR_RIGHTS_H
#define NEEDTOKNOW_DAEMON_DOCTOR_RIGHTS_H

#include "daemon/doctor_database.h"

/*
 * Does a role have what the migrations grant to it, and nothing more? What they grant is read from their own text, so
 * nothing has to be kept in step with it.
 */
void doctor_rights(struct doctor *doctor, struct doctor_database *database);

#endif
