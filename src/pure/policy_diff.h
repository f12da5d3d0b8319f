#ifndef NEEDTOKNOW_PURE_POLICY_DIFF_H
#define NEEDTOKNOW_PURE_POLICY_DIFF_H

#include "pure/policy.h"

#include <stdbool.h>

/* Who would see more, and who less, under another policy: for whoever must agree to a change of it. */

enum policy_effect {
	POLICY_SEES_LESS,
	POLICY_SEES_AS_MUCH, /* it changes why, not what */
	POLICY_SEES_MORE, /* and whatever cannot be compared */
};

enum policy_aspect {
	POLICY_ASPECT_SERVICE, /* added or removed */
	POLICY_ASPECT_FIELD, /* added to a service, or removed from it */
	POLICY_ASPECT_SOURCE, /* the field is read from another view, or by another key */
	POLICY_ASPECT_DUE, /* when the field is sent */
	POLICY_ASPECT_SENSITIVE, /* whether it is sent again outside its time */
	POLICY_ASPECT_EXPIRES,
	POLICY_ASPECT_DELETE_WITHIN,
	POLICY_ASPECT_MAX_DURATION,
	POLICY_ASPECT_REQUIRES, /* the column that must be true */
	POLICY_ASPECT_BOOKING, /* whether a row of the booking source must be there */
	POLICY_ASPECT_RECIPIENTS, /* providers or staff */
	POLICY_ASPECT_LEGAL_BASIS, /* more, when an objection no longer stops it */
	POLICY_ASPECT_PURPOSE, /* likewise */
	POLICY_ASPECTS,
};

struct policy_change {
	enum policy_aspect aspect;
	enum policy_effect effect;
	/* Of the service and field that it is about; of an addition `before` is NULL, of a removal `after`. */
	const struct policy_service *before, *after;
	const struct policy_release *release_before, *release_after; /* that has the field; NULL: about no field */
	const struct policy_field *field;
};

/* Tells each change: of the old policy's services in its order, then the new ones. What is told lives as long as both
 * policies. */
void policy_diff(const struct policy *before, const struct policy *after,
	void (*tell)(void *context, const struct policy_change *change), void *context);

/* The same for one service; either may be NULL, not both. */
void policy_diff_service(const struct policy_service *before, const struct policy_service *after,
	void (*tell)(void *context, const struct policy_change *change), void *context);

/* Would nobody see more? What may be applied to what was shared under the earlier rule, at once. */
bool policy_service_is_narrower(const struct policy_service *before, const struct policy_service *after);

#endif
