#ifndef NEEDTOKNOW_SERVICE_CALLERS_H
#define NEEDTOKNOW_SERVICE_CALLERS_H

#include <stdint.h>

/* How many calls each caller has in this worker, by its name within its role. "" is the service itself: not counted. */
struct callers;

struct callers *callers_new(void);
void callers_free(struct callers *callers); /* NULL is allowed */

void callers_enter(struct callers *callers, const char *name);
void callers_leave(struct callers *callers, const char *name);
uint32_t callers_count(const struct callers *callers, const char *name);

#endif
