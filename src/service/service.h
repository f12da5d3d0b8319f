#ifndef NEEDTOKNOW_SERVICE_SERVICE_H
#define NEEDTOKNOW_SERVICE_SERVICE_H

#include "io/database.h"
#include "io/loop.h"
#include "io/server.h"
#include "pure/note.h"
#include "service/call.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The service of one worker: it ties the server, the databases, the train, the recipients' queues and the policy
 * together, and hands each request to its method. Everything runs on one loop.
 */
struct service_limits {
	uint32_t train_max_calls; /* [512] */
	uint32_t call_memory; /* [8388608] bytes, a call */
	uint32_t source_timeout_ms; /* [2000] a source's statement */
	uint32_t max_wait_ms; /* [250] of those who wait for the train; new requests are RESOURCE_EXHAUSTED then */
	uint32_t max_calls; /* [20000] in the worker at once; more are RESOURCE_EXHAUSTED */
};

struct service_config {
	const char *state_dsn, *source_dsn, *audit_dsn; /* audit: NULL, the state's */
	const char
		*rights_dsn; /* who may call the company's functions for clients' rights; NULL: they are not called */
	const char *policy_file;
	const char *trust_domain;
	const struct note_signer *signing_keys; /* of the ledger's checkpoints; all of one name */
	size_t signing_key_count; /* at least one */
	const char *state_dir; /* where the last checkpoint that was seen is kept */
	bool strict_privileges;
	bool reapplying; /* nobody is served: what the database lacks of the erasure list is erased again */
	bool sweep_columns; /* of the policy's retention.columns */
	unsigned workers; /* of this process group; other machines are found out about */
	struct service_limits limits;
	SSL_CTX *tls;
	struct server_limits server_limits;
	const struct method *const *methods; /* ends with NULL; of the layer above */
};

/* What the outside may know of how it goes. */
enum service_state {
	SERVICE_STARTING,
	SERVICE_SERVING,
	SERVICE_NOT_SERVING,
	SERVICE_DRAINING,
};

/* The config must outlive the service. */
struct service *service_new(struct loop *loop, const struct service_config *config);
void service_free(struct service *service);

enum service_state service_state(const struct service *service);
/* One sentence for an operator: why it is not serving; "" when it is. */
const char *service_why(const struct service *service);
/* Called whenever the state changes. */
void service_on_state(struct service *service, void (*changed)(void *context), void *context);

int service_listen(struct service *service, int socket);
/* Streams end and calls finish, for as long at most; what they committed is signed; then `done`. */
void service_drain(struct service *service, uint32_t timeout_ms, void (*done)(void *context), void *context);
/* Reads the policy file again. */
void service_reload(struct service *service);

/* Has a call run whenever the state changes, until it is unwatched. For a call that never boards. */
void service_watch(struct call *call);
void service_unwatch(struct call *call);

/* The parts. */
struct loop *service_loop(const struct service *service);
struct server *service_server(const struct service *service);
struct train *service_train(const struct service *service);
struct batches *service_batches(const struct service *service);
struct key_table *service_keys(const struct service *service);
struct queues *service_queues(const struct service *service);
struct rulebook *service_rulebook(const struct service *service);
struct tail *service_tail(const struct service *service);
struct sweeper *service_sweeper(const struct service *service);
const struct eraser *service_eraser(const struct service *service);
const struct retention_sweeper *service_retention_sweeper(const struct service *service);
struct signer *service_signer(const struct service *service);
struct corrector *service_corrector(const struct service *service);
const struct ledger_room *service_ledger_room(const struct service *service);
struct company *service_company(const struct service *service);
struct erasure_list *service_erasure_list(const struct service *service);
struct suppression *service_suppression(const struct service *service);
struct database *service_database_state(const struct service *service);
struct database *service_database_listing(const struct service *service);
struct database *service_database_audit(const struct service *service);
const struct service_config *service_config(const struct service *service);

/* 32 bytes derived from the shared secret for one use of it. */
enum service_secret {
	SECRET_DISCLOSURE_ID,
	SECRET_PAGE_TOKEN,
	SECRET_KEY_TABLE,
	SECRET_CONTACT,
	SECRET_ERASURE_LIST,
	SECRETS
};
const uint8_t *service_secret(const struct service *service, enum service_secret use);

/* Is this the worker, of all on all machines, that does what one alone is to do? */
bool service_elected(const struct service *service);

/* Counts calls, from their making to their end; `caller` is a name within its role, "" for the service itself. */
void service_enter(struct service *service, const char *caller);
void service_leave(struct service *service, const char *caller);

/* For database_handler.on_trouble: why a connection cannot be had. */
void service_trouble(void *context, const char *reason);
/* A reading failed: logged, at most once a second. */
void service_read_failed(struct service *service, int from, const struct database_outcome *outcome);

/* The parts tell when something changes that the service's state depends on. */
void service_changed(struct service *service);

/* The database's time as far as it is known from the last answer, for timers; never for what is recorded. */
void service_learn_time(struct service *service, int64_t database_time);
int64_t service_guess_time(const struct service *service);
/* loop_now() time at which the database's clock will show `time`. */
int64_t service_loop_time(const struct service *service, int64_t time);

#endif
