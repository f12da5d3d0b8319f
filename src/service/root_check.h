#ifndef NEEDTOKNOW_SERVICE_ROOT_CHECK_H
#define NEEDTOKNOW_SERVICE_ROOT_CHECK_H

#include "pure/checkpoint.h"
#include "service/service.h"

/* Has the published tree, at the size of an earlier checkpoint, that checkpoint's root? Asked of our own tables. */
enum root_check_result {
	ROOT_CHECK_UNKNOWN, /* the database did not answer */
	ROOT_CHECK_SAME,
	ROOT_CHECK_OTHER,
};

/* `done` is called once. The checkpoint is copied. */
void root_check(struct service *service, const struct checkpoint *checkpoint,
	void (*done)(void *context, enum root_check_result result), void *context);

#endif
