#ifndef NEEDTOKNOW_SERVICE_CALL_H
#define NEEDTOKNOW_SERVICE_CALL_H

#include "base/arena.h"
#include "io/server.h"
#include "pure/identity.h"
#include "pure/status.h"
#include "service/key.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/*
 * A call is a row of named steps, run in order by call_run(). A step says what comes after it; whoever it waits for (a
 * read, the train) calls call_run() again, which comes back to the same step. Methods are const tables: to know one is
 * to know all.
 */
struct call;
struct departure;
struct service;

enum step_result {
	STEP_NEXT, /* the next step, at once */
	STEP_WAIT, /* this step again, when something that the call waits for has come */
	STEP_DONE, /* answered, or nobody is left to answer: the call ends */
};
typedef enum step_result call_step(struct call *call);

/* What a call does when the train takes it aboard: under the ledger's lock, with the train's time. */
enum boarding {
	BOARDED, /* its entries and rows are in the departure */
	BOARD_NOTHING, /* nothing is to be written: it goes on as if committed */
	BOARD_AGAIN, /* what it read is too old: it reads again */
};

/* Who boards first. */
enum train_class {
	TRAIN_CONTROL,
	TRAIN_DELIVERY,
	TRAIN_SHARE,
	TRAIN_CLASSES
};

#define CALL_STEPS_MAX 8

struct method {
	const char *path; /* NULL for what the service does by itself */
	enum role role; /* ROLE_NONE: any authenticated role */
	enum server_method_kind kind;
	const ProtobufCMessageDescriptor *input;
	call_step *steps[CALL_STEPS_MAX]; /* up to the first NULL */
	unsigned again; /* the step at which it reads: where BOARD_AGAIN goes back to */
	enum boarding (*board)(struct call *call, struct departure *departure);
	enum train_class train_class;
	/* Told when the call fails, before it is answered with call->status; what has no stream is told nothing else.
	 * May be NULL. */
	void (*failed)(struct call *call);
	/* Its COMMIT is in doubt: values that it holds are wiped now. May be NULL. */
	void (*doubted)(struct call *call);
	/* Its stream's output has drained. May be NULL. */
	void (*writable)(struct call *call);
	/* The call is being freed: what it holds outside its arena. May be NULL. */
	void (*release)(struct call *call);
};

enum call_boarding {
	CALL_ASHORE,
	CALL_WAITING,
	CALL_ABOARD,
	CALL_COMMITTED
};

struct call {
	const struct method *method;
	struct service *service;
	struct server_stream *stream; /* NULL: the service's own, or the client has gone */
	struct arena *arena;
	const ProtobufCMessage *request;
	void *state; /* the method's own, in the arena */

	/* The caller, which may outlive its stream. */
	enum role role;
	const char *actor; /* SPIFFE id, or `system` */
	const char *name; /* within the role: a recipient's id */
	const char *device; /* recipients only; else "" */

	size_t step;
	bool running, ended, half_closed;
	unsigned awaited; /* of them, those that the next step needs */
	unsigned generation; /* of readings; earlier ones are not looked at when they come */
	unsigned reads; /* on their way; the call's memory stays until they are back */
	bool late; /* committed, but known only after a doubt: no value of it may still leave */
	bool failed; /* a read or the train failed: `status` says how */
	struct status status;

	/* The train. */
	enum call_boarding boarding;
	uint64_t read_train; /* the last train that had arrived when it began to read */
	bool reading; /* in the train's list of readers */
	struct key *keys; /* in the arena */
	size_t key_count, key_size;
	unsigned tries;
	int64_t waits_since; /* loop time; at the platform */
	struct call *next, *prev; /* at the platform, or aboard */
	struct call *reader_next, *reader_prev; /* oldest reading first */
};

/* A call of a client; the first step is not run yet. */
struct call *call_new(struct service *service, const struct method *method, struct server_stream *stream);
/* A call of the service's own; the actor is `system`. */
struct call *call_new_own(struct service *service, const struct method *method);

/* Runs steps until one waits or the call ends; then the call may be gone. */
void call_run(struct call *call);
/* It was answered before its first step: it ends. */
void call_abandon(struct call *call);
/* The stream is gone: nobody is answered, the steps go on to their end. */
void call_detach(struct call *call);

/* Unpacks the request of a client's call, as the first step of every such method. STEP_NEXT, or answers and STEP_DONE.
 */
enum step_result call_unpack(struct call *call, const uint8_t *message, size_t length);

/* Answers. Each returns STEP_DONE, so that a step can return it. */
enum step_result call_reply(struct call *call, const ProtobufCMessage *message);
/* The same with a message that is packed already. */
enum step_result call_reply_bytes(struct call *call, const uint8_t *message, size_t length);
enum step_result call_refuse(struct call *call, const struct status *status);
enum step_result call_refuse_identifier(struct call *call, const char *field);
enum step_result call_unavailable(struct call *call, const char *reason);

/* A read or the train tells that the call cannot go on; it is answered when it runs next. */
void call_fail(struct call *call, enum grpc_code code, const char *reason, const char *message);

/* Declares what the call reads (shared) or writes (exclusive), before it reads. */
void call_key(struct call *call, enum key_kind kind, const void *id, size_t length, enum key_mode mode);

/* What was asked so far is no longer needed, and may fail. */
void call_disregard(struct call *call);

/* Memory of the call; the process does not end when a request asks for too much of it: the call fails and NULL is
 * returned. */
void *call_alloc(struct call *call, size_t size);

#endif
