#ifndef NEEDTOKNOW_DAEMON_DOCTOR_LEDGER_H
#define NEEDTOKNOW_DAEMON_DOCTOR_LEDGER_H

#include "daemon/doctor_database.h"

/* Our own schema: migrations, the ledger against its checkpoints (the published and the one in state_dir), the policy
 * in force, room ahead, what may be gone, what is overdue. */
void doctor_ledger(struct doctor *doctor, struct doctor_database *database);

#endif
