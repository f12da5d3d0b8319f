#ifndef NEEDTOKNOW_SERVICE_SERVICE_INTERNAL_H
#define NEEDTOKNOW_SERVICE_SERVICE_INTERNAL_H

#include "service/admission.h"
#include "service/service.h"

#include <uthash.h>

/* For service.c, service_parts.c and admission.c alone: what one worker's service is made of. */
struct method_entry {
	const struct method *method;
	UT_hash_handle hh;
};

struct service {
	struct callers *callers; /* how many calls each has */
	struct loop *loop;
	const struct service_config *config;
	struct service_config settled; /* with the limits' defaults */
	struct loop_hook hook;
	struct server *server;
	struct database *state, *listing, *audit, *listener;
	struct company *company;
	struct batches *batches;
	struct key_table *keys;
	struct train *train;
	struct queues *queues;
	struct rulebook *rulebook;
	struct sweeper *sweeper;
	struct recipient_news *recipient_news;
	struct tail *tail;
	struct signer *signer;
	struct pruner *pruner;
	struct erasure_list *erasure_list;
	struct suppression *suppression;
	struct eraser *eraser;
	struct retention_sweeper *retention_sweeper;
	struct corrector *corrector;
	struct ledger_room *ledger_room;
	struct method_entry *methods;
	uint8_t secrets[SECRETS][32];
	bool have_secret, asking_secret, draining, served;
	bool notified; /* another worker has committed; told to the queues at most every NEWS_INTERVAL */
	struct loop_timer news, census;
	char name[17]; /* this worker's, in its notifications */
	uint32_t calls;
	struct admission admission;
	int64_t time_offset; /* database's time less loop time */
	int64_t complained_at;
	enum service_state told;
	struct call *watching;
	void (*changed)(void *context);
	void *changed_context;
	void (*drained)(void *context);
	void *drained_context;
};

#endif
