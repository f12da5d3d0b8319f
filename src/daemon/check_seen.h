#ifndef NEEDTOKNOW_DAEMON_CHECK_SEEN_H
#define NEEDTOKNOW_DAEMON_CHECK_SEEN_H

#include "daemon/check.h"

#include <libpq-fe.h>

/*
 * Would the ledger be signed, after the checkpoint that state_dir holds? `news` is what sql_signer_news answers. A
 * warning when not: nothing but signing stops, so the daemon starts all the same.
 */
void check_seen(const struct configuration *configuration, const PGresult *news, const struct check_report *report);

#endif
