#ifndef NEEDTOKNOW_SERVICE_SIGNER_H
#define NEEDTOKNOW_SERVICE_SIGNER_H

#include "service/service.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Publishes the ledger's checkpoints (https://c2sp.org/tlog-checkpoint). Of all workers on all machines one is elected,
 * by a lock of its database session; it builds the tree from the committed entries, compares its root with that of the
 * ledger's head, and signs: at most once a second, and only when there is something new. Every worker keeps in mind,
 * and in the daemon's state_dir, the last checkpoint that it saw. When the database does not go on from there, nothing
 * is signed any more until it does; nothing else stops.
 */
struct signer;

struct signer *signer_new(struct service *service);
/* When no call is left. NULL is allowed. */
void signer_free(struct signer *signer);

/* The service serves: it can be recorded which keys sign. */
void signer_wake(struct signer *signer);

/* It is this worker that signs. */
bool signer_elected(const struct signer *signer);
/* Why no checkpoint is signed or told, for an operator; "" when all is well. */
const char *signer_why(const struct signer *signer);

/* Before the process ends: has what is committed signed, by whomever is elected. `done` is called once, at the latest
 * after `timeout_ms` and possibly at once. */
void signer_finish(struct signer *signer, uint32_t timeout_ms, void (*done)(void *context), void *context);

struct signer_counters {
	uint64_t checkpoints; /* signed by this worker */
	uint64_t size, signed_at; /* of the last one that is published; seconds since the epoch */
	uint64_t behind; /* entries that it does not cover */
	uint64_t stopped; /* 1: nothing is signed, see signer_why() */
};
const struct signer_counters *signer_counters(const struct signer *signer);

#endif
