#include "cli/bodies.h"

#include "base/memory.h"
#include "cli/output.h"
#include "pure/protobuf.h"

#include <needtoknow/v1/ledger.pb-c.h>

#include <inttypes.h>
#include <stdio.h>

/* Fields of LedgerEntry. */
enum {
	FIELD_KIND = 1,
	FIELD_PRUNED_UNTIL = 20
};

void bodies_release(struct bodies *bodies)
{
	mem_free(bodies->ranges);
	*bodies = (struct bodies){ 0 };
}

/* What a PRUNED entry says; 0 of any other, and of what is no entry of ours. */
static uint64_t read_pruned(const uint8_t *body, size_t length)
{
	const uint8_t *at = body;
	struct protobuf_field field;
	uint64_t kind = 0, until = 0;
	int result;

	/* Fields are written in their order: the first byte pair tells nearly every entry apart. */
	if (length < 2 || body[0] != FIELD_KIND << 3 || body[1] != NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_PRUNED)
		return 0;
	while ((result = protobuf_next(&at, body + length, &field)) > 0) {
		if (field.number == FIELD_KIND && field.type == PROTOBUF_VARINT)
			kind = field.value;
		else if (field.number == FIELD_PRUNED_UNTIL && field.type == PROTOBUF_VARINT)
			until = field.value;
	}
	return result == 0 && kind == NEEDTOKNOW__V1__ENTRY_KIND__ENTRY_KIND_PRUNED ? until : 0;
}

void bodies_present(struct bodies *bodies, uint64_t index, const uint8_t *body, size_t length)
{
	uint64_t until = read_pruned(body, length);

	bodies->present++;
	if (until <= bodies->pruned_until || until > index)
		return;
	bodies->pruned_until = until;
	bodies->pruned_index = index;
}

void bodies_gone(struct bodies *bodies, uint64_t first, uint64_t count)
{
	struct bodies_range *last = bodies->count > 0 ? &bodies->ranges[bodies->count - 1] : NULL;

	bodies->gone += count;
	if (last != NULL && last->until == first) {
		last->until += count;
		return;
	}
	if (bodies->count == bodies->capacity) {
		bodies->capacity = bodies->capacity > 0 ? bodies->capacity * 2 : 16;
		bodies->ranges = mem_realloc(bodies->ranges, bodies->capacity * sizeof *bodies->ranges);
	}
	bodies->ranges[bodies->count++] = (struct bodies_range){ first, first + count };
}

void bodies_judge(const struct bodies *bodies, bool leaves_only, struct verdict *verdict)
{
	uint64_t pruned = 0;

	if (bodies->gone > 0 && bodies->present == 0 && leaves_only) {
		printf("  %-*s none: there are no entries here, so leaves and tiles alone were verified\n",
			OUTPUT_KEY_WIDTH, "bodies");
		return;
	}
	for (size_t i = 0; i < bodies->count; i++) {
		struct bodies_range range = bodies->ranges[i];
		uint64_t allowed = range.until < bodies->pruned_until ? range.until : bodies->pruned_until;
		if (allowed > range.first) {
			pruned += allowed - range.first;
			range.first = allowed;
		}
		if (range.first < range.until)
			verdict_fault(verdict, range.first,
				"entries %" PRIu64 " to %" PRIu64
				": their bodies are missing, and no PRUNED entry says that they may be gone",
				range.first, range.until - 1);
	}
	printf("  %-*s %" PRIu64 " verified", OUTPUT_KEY_WIDTH, "bodies", bodies->present);
	if (pruned > 0)
		printf(", %" PRIu64 " legitimately gone (entry %" PRIu64 ": PRUNED below %" PRIu64 ")", pruned,
			bodies->pruned_index, bodies->pruned_until);
	if (bodies->gone > pruned)
		printf(", %" PRIu64 " missing", bodies->gone - pruned);
	putchar('\n');
}
