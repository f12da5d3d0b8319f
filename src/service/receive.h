#ifndef NEEDTOKNOW_SERVICE_RECEIVE_H
#define NEEDTOKNOW_SERVICE_RECEIVE_H

#include "service/call.h"
#include "service/queue.h"

/* A recipient's stream: the call behind DeliveryService.Receive, which lives as long as the stream does. */

/* The stream gets what waits for it: withdrawals that its device has not confirmed, then deliveries; of a suspended
 * recipient, and on a revoked device, withdrawals alone. Asks which it is. */
enum step_result receive_open(struct call *call, uint32_t window, bool until_empty);
/* The next step: a device that was never seen becomes known. */
enum step_result receive_admit(struct call *call);
/* The step in which it then stays. */
enum step_result receive_wait(struct call *call);
/* For the method's release(). */
void receive_close(struct call *call);

/* There may be a withdrawal for its device that it has not been sent. */
void receive_news(struct call *call);
/* Its output has drained. */
void receive_writable(struct call *call);
/* UNAVAILABLE, so that the app connects anew. */
enum receive_leaving {
	RECEIVE_DRAINING, /* the worker is to end */
	RECEIVE_CHANGED, /* what the registry says of the recipient */
};
void receive_leave(struct call *call, enum receive_leaving why);
/* Nothing waits any more, and that is all that it asked for. */
void receive_finish(struct call *call);

/* Boards the freeing of one delivery to this device, whose stream can no longer acknowledge it; queue_freed() follows.
 */
void release_freed(struct service *service, struct queue *queue, const char *device, const struct delivery_key *key);

#endif
