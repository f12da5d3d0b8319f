#ifndef NEEDTOKNOW_CLI_SINCE_H
#define NEEDTOKNOW_CLI_SINCE_H

#include "cli/trust.h"
#include "cli/verdict.h"

#include <limits.h>
#include <stdbool.h>

/*
 * An earlier checkpoint, kept outside, that a log must still be the continuation of (--since). When the file stands in
 * an exported directory, that directory's leaves tell which entry is the first to differ; else only between which
 * sizes.
 */
struct since {
	bool given;
	bool has_tiles; /* `directory` has the leaves of that time */
	bool differs; /* from those leaves */
	uint64_t different; /* the first index that does */
	struct checkpoint checkpoint;
	struct buffer note;
	char directory[PATH_MAX];
};

/* --since. EXIT_OK, also when it was not given; else after a line. Released in any case. */
enum exit_code since_read(const struct invocation *invocation, const struct trust *trust, struct since *out);
void since_release(struct since *since);

/* How many leaves of a log of that size are of the earlier time; 0 when that cannot be said. */
uint64_t since_size(const struct since *since, uint64_t size);

/* The leaves of the log from `first` on, a multiple of 256, at most 256 of them. */
void since_leaves(struct since *since, uint64_t first, const uint8_t *hashes, unsigned count);

/* `root` is that of the log's first since_size() leaves. How many of the log's first entries are shown to be as they
 * were. */
uint64_t since_judge(const struct since *since, const struct checkpoint *now, const struct merkle_hash *root,
	struct verdict *verdict);

#endif
