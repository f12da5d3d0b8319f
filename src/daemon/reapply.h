#ifndef NEEDTOKNOW_DAEMON_REAPPLY_H
#define NEEDTOKNOW_DAEMON_REAPPLY_H

#include "daemon/configuration.h"

#include <stdio.h>

/*
 * `needtoknowd reapply-erasures`: after the database was restored from a backup, erases again whoever is in the erasure
 * list (state_dir/erasures) and not erased in it (GDPR art. 17). A daemon that finds such a one serves nothing until
 * then. Repeating it does no harm, and neither does a daemon beside it.
 *
 * How far it is goes to `out`. 0; or -1 with the reasons in `errors`: some are still to be done. It has a loop of its
 * own, and ends with it.
 */
int reapply_run(const struct configuration *configuration, FILE *out, FILE *errors);

#endif
