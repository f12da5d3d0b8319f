#ifndef NEEDTOKNOW_DAEMON_DOCTOR_FILES_H
#define NEEDTOKNOW_DAEMON_DOCTOR_FILES_H

#include "daemon/doctor.h"

/* The files that the configuration names: policy, certificates and key, the ledger's keys, state_dir. A certificate is
 * looked at CERTIFICATE_WARNING_DAYS before its end, and is wrong CERTIFICATE_WRONG_DAYS before. */
#define CERTIFICATE_WARNING_DAYS 30
#define CERTIFICATE_WRONG_DAYS 7

void doctor_files(struct doctor *doctor);

#endif
