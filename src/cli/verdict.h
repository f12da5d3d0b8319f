#ifndef NEEDTOKNOW_CLI_VERDICT_H
#define NEEDTOKNOW_CLI_VERDICT_H

#include "cli/command.h"
#include "pure/checkpoint.h"

#include <stdint.h>

/* What a verification has found: the first thing that is wrong, by its place in the log, and how many more. */
#define VERDICT_WHOLE UINT64_MAX /* the place of what concerns no entry, as a signature */

struct verdict {
	uint64_t faults;
	uint64_t index; /* of the first */
	char first[1024];
};

void verdict_fault(struct verdict *verdict, uint64_t index, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same by someone who knows the very entry, where others know its tile: it counts as the first of the tile. */
void verdict_fault_exact(struct verdict *verdict, uint64_t index, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A checkpoint's note that did not verify. */
void verdict_note(struct verdict *verdict, const char *what, enum note_result result);
/* EXIT_OK; or EXIT_FAILED after saying what is wrong on standard error. */
enum exit_code verdict_end(const struct verdict *verdict, const struct invocation *invocation);

/* `size 120, root 0f..` */
void verdict_print_checkpoint(const struct checkpoint *checkpoint);

#endif
