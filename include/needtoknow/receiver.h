#ifndef NEEDTOKNOW_RECEIVER_H
#define NEEDTOKNOW_RECEIVER_H

#include <needtoknow/client.h>

#include <needtoknow/v1/delivery.pb-c.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a recipient's app does with its stream, done right:
 *
 * - each delivery is given to on_delivery(), and acknowledged after that returned 0. What was not acknowledged comes
 * again, also after a crash, marked REPEATED; a repeat that crosses with its acknowledgement is not given twice. A
 * repeat with other times (starts_at, ends_at, expires_at, delete_by) is given: the booking was moved, and the latest
 * times hold, for all of its disclosure;
 * - its memory is wiped when on_delivery() returns; or, with `keep`, when the disclosure is withdrawn, delivered anew
 * or expires (GDPR art. 5(1)(e)), whichever is first, by this library. Expiry needs no connection, and goes by the
 * server's clock whatever becomes of the device's own; what a sleeping device held is wiped within seconds of its
 * waking;
 * - what is restricted (GDPR art. 18) is kept beyond its time too, and handed out no more (needtoknow_receiver_visit())
 * until that is lifted or it is withdrawn; each is given to on_restriction() once;
 * - a withdrawal is given to on_withdrawal() after the wipe; what that returns is confirmed to needtoknow
 * (ConfirmDeletion);
 * - a connection that is lost is made again with jittered back-off, and nothing is lost by it. So it is when the
 * recipient was suspended or its device revoked: needtoknow then closes the stream, and tells on the next one what is
 * to be deleted, and nothing else.
 *
 * A receiver is used by one thread; but needtoknow_receiver_stop() may come from anywhere.
 */
struct needtoknow_receiver;

/* What became of the app's own copies of a withdrawn disclosure. Zeroed: they are deleted. */
struct needtoknow_deletion {
	int retained; /* nonzero: kept, as a law demands */
	const char *ground; /* that law; copied when on_withdrawal() has returned */
	int64_t until; /* seconds since 1970 */
};

struct needtoknow_receiver_handler {
	/* 0: taken over, acknowledge it. Else it will be sent again. With `keep` the pointer is good until the
	 * same release is delivered again, or the disclosure is wiped. */
	int (*on_delivery)(void *context, const Needtoknow__V1__Delivery *delivery);
	/* Stop using it, and delete what was copied elsewhere, before returning; `wiped` deliveries were held here and
	 * are gone. */
	void (*on_withdrawal)(void *context, const Needtoknow__V1__Withdrawal *withdrawal, size_t wiped,
		struct needtoknow_deletion *deletion);
	/* With `keep`: the disclosure's time is over, and `wiped` deliveries of it are gone. The withdrawal follows.
	 * May be NULL. */
	void (*on_expiry)(void *context, const char *disclosure_id, const char *booking_id, size_t wiped);
	/* Keep, do not use, until lifted (GDPR art. 18). */
	void (*on_restriction)(void *context, const Needtoknow__V1__Restriction *restriction);
	/* The deletion of a withdrawn disclosure has been recorded by needtoknow. May be NULL. */
	void (*on_confirmed)(void *context, const char *disclosure_id);
	/* Connected (`why` is NULL), or the stream is down because of *why and will be tried again in so many
	 * milliseconds. May be NULL. */
	void (*on_connection)(void *context, const struct needtoknow_status *why, uint32_t retry_ms);
	void *context;
};

struct needtoknow_receiver_options {
	uint32_t max_unacknowledged; /* deliveries on their way at once; 0: 64; at most 1,024 */
	int until_empty; /* nonzero: needtoknow_receiver_run() returns when nothing waits */
	int keep; /* nonzero: hold deliveries in wiped memory until they end */
	uint32_t retry_ms; /* the first back-off, doubled up to 30 s; 0: 500 */
};

/* Copies everything; does not connect. NULL and *status: BAD_ADDRESS or BAD_CREDENTIALS. */
struct needtoknow_receiver *needtoknow_receiver_new(const struct needtoknow_options *options,
	const struct needtoknow_receiver_options *receiver_options, const struct needtoknow_receiver_handler *handler,
	struct needtoknow_status *status);
/* Wipes what is held. Not from within a callback. NULL is allowed. */
void needtoknow_receiver_free(struct needtoknow_receiver *receiver);

/*
 * Receives until stopped, or until nothing waits; acknowledgements and confirmations that are on their way are seen to
 * their end first (5 s at most). 0; or -1 and *status for what trying again would not mend: not permitted, not trusted
 * at the first connection, not a needtoknow server; with until_empty also whatever kept it from finishing.
 */
int needtoknow_receiver_run(struct needtoknow_receiver *receiver, struct needtoknow_status *status);

/* Has needtoknow_receiver_run() return soon. May be called from a signal handler, from another thread and from
 * callbacks. */
void needtoknow_receiver_stop(struct needtoknow_receiver *receiver);

/* With `keep`: every delivery that is held and not restricted, in order of arrival, until visit() returns nonzero. Not
 * to be kept by visit(). */
void needtoknow_receiver_visit(struct needtoknow_receiver *receiver,
	int (*visit)(void *context, const Needtoknow__V1__Delivery *delivery), void *context);

#ifdef __cplusplus
}
#endif

#endif
