#ifndef NEEDTOKNOW_SERVICE_POLICY_ACTIVATION_H
#define NEEDTOKNOW_SERVICE_POLICY_ACTIVATION_H

#include "service/rulebook.h"

/*
 * Puts a policy in force: an entry (POLICY_ACTIVATED) with its digest, and its text where the database does not have it
 * yet. `actor` stands in the entry, `approved_by` beside it. The rulebook is told what became of it; until then the
 * rules stay.
 */
void policy_activate(struct service *service, struct rules *rules, const char *actor, const char *approved_by);

#endif
