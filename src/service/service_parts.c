#include "service/service_internal.h"
#include "service/signer.h"

#include <assert.h>

/* What it is made of, for its parts. */

struct loop *service_loop(const struct service *service)
{
	return service->loop;
}

struct server *service_server(const struct service *service)
{
	return service->server;
}

struct train *service_train(const struct service *service)
{
	return service->train;
}

struct batches *service_batches(const struct service *service)
{
	return service->batches;
}

struct key_table *service_keys(const struct service *service)
{
	return service->keys;
}

struct queues *service_queues(const struct service *service)
{
	return service->queues;
}

struct rulebook *service_rulebook(const struct service *service)
{
	return service->rulebook;
}

struct sweeper *service_sweeper(const struct service *service)
{
	return service->sweeper;
}

const struct eraser *service_eraser(const struct service *service)
{
	return service->eraser;
}

const struct retention_sweeper *service_retention_sweeper(const struct service *service)
{
	return service->retention_sweeper;
}

const struct ledger_room *service_ledger_room(const struct service *service)
{
	return service->ledger_room;
}

struct corrector *service_corrector(const struct service *service)
{
	return service->corrector;
}

struct signer *service_signer(const struct service *service)
{
	return service->signer;
}

bool service_elected(const struct service *service)
{
	return signer_elected(service->signer);
}

struct suppression *service_suppression(const struct service *service)
{
	return service->suppression;
}

struct erasure_list *service_erasure_list(const struct service *service)
{
	return service->erasure_list;
}

struct company *service_company(const struct service *service)
{
	return service->company;
}

struct tail *service_tail(const struct service *service)
{
	return service->tail;
}

struct database *service_database_state(const struct service *service)
{
	return service->state;
}

struct database *service_database_listing(const struct service *service)
{
	return service->listing;
}

struct database *service_database_audit(const struct service *service)
{
	return service->audit ? service->audit : service->state;
}

const struct service_config *service_config(const struct service *service)
{
	return &service->settled;
}

const uint8_t *service_secret(const struct service *service, enum service_secret use)
{
	assert(service->have_secret);
	return service->secrets[use];
}
