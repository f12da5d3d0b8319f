#ifndef NEEDTOKNOW_SERVICE_PRUNER_H
#define NEEDTOKNOW_SERVICE_PRUNER_H

/*
 * Decides how far the bodies of old entries may go, as the policy in force keeps them (retention.ledger_bodies), and
 * records it: PRUNED, before the first of them goes. `needtoknowd maintain` removes them, under another role. Only the
 * elected worker does it, when it begins to serve and about every hour, and not while signing has stopped.
 */
struct pruner;
struct service;

struct pruner *pruner_new(struct service *service);
/* After everything that ends calls. NULL is allowed. */
void pruner_free(struct pruner *pruner);

#endif
