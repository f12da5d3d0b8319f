#ifndef NEEDTOKNOW_RPC_ENTRIES_H
#define NEEDTOKNOW_RPC_ENTRIES_H

#include "base/buffer.h"
#include "rpc/entry_filter.h"

/*
 * Finding entries, a bounded reading at a time, in the order of their indices or against it. With an id in the filter
 * they are found through it; else packed rows are walked, those left out that hold nothing of what is asked.
 *
 * A step that reads on looks like this:
 *
 *	if (call->awaited)
 *		return STEP_WAIT;
 *	if (!entries_more(entries) || enough)
 *		return STEP_NEXT;
 *	entries_ask(call, entries);
 *	return STEP_WAIT;
 */
struct found_entry {
	uint64_t index;
	const uint8_t *body; /* NULL: its body was pruned */
	size_t length;
	const uint8_t *leaf; /* of a pruned one alone: its hash, 32 bytes */
};

struct entries;

/* Takes an entry (what it points to is good during the call), or returns false: no more now; it will come again. */
typedef bool entries_take(struct call *call, struct entries *entries, const struct found_entry *entry);

struct entries {
	const struct entry_filter *filter;
	bool newest_first;
	int64_t next; /* oldest first: looked at is all before it; newest first: all from it on */
	size_t budget, budget_max; /* bytes of bodies that a reading may bring; grows up to what is needed */
	entries_take *take;
	void *target; /* of whoever takes */
	unsigned readings;
	bool end; /* nothing is behind `next` any more */

	/* Of the reading under way. */
	enum entries_reading {
		ENTRIES_NOTHING,
		ENTRIES_BOUNDS, /* from and until which index the times reach */
		ENTRIES_ROWS,
		ENTRIES_INDICES, /* of what the filter names; their bodies next */
		ENTRIES_BODIES,
		ENTRIES_LEAVES, /* of the gap */
	} reading;
	bool bounded; /* the bounds are known */
	int64_t lower, upper; /* indices from lower to before upper may match */
	bool stopped; /* nothing more is taken of it */
	size_t rows, bytes;
	size_t taken, taken_before; /* entries, and how many before the reading */
	int64_t gap, gap_end; /* entries whose row is gone */
	int64_t *indices;
	size_t index_count, index_max;
};

/* In the call's arena; `next` may be set afterwards, to go on from a page before. `index_max`: as many indices a
 * reading. */
void entries_begin(struct call *call, struct entries *entries, const struct entry_filter *filter, bool newest_first,
	size_t index_max);
/* What was read is settled; true: there may be more. */
bool entries_more(struct entries *entries);
/* Asks for the next reading. */
void entries_ask(struct call *call, struct entries *entries);

/*
 * Appends the entry as element of field 1 of ListEntriesResponse and StreamEntriesResponse. `decoded`: with field
 * `entry`, whose bytes are the body's (left out when they are no LedgerEntry). 0, or -1: the buffer is full, and as it
 * was.
 */
int entries_append(struct buffer *out, const struct found_entry *entry, bool decoded);
/* At most so many bytes more than the body's, or than twice it. */
#define ENTRIES_OVERHEAD_MAX 64

#endif
