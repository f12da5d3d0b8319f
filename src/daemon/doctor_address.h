#ifndef NEEDTOKNOW_DAEMON_DOCTOR_ADDRESS_H
#define NEEDTOKNOW_DAEMON_DOCTOR_ADDRESS_H

#include "daemon/doctor.h"

/* The addresses to listen on: free, or the daemon answers there, and is ready. */
void doctor_addresses(struct doctor *doctor);

#endif
