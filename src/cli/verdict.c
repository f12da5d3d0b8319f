#include "cli/verdict.h"

#include "cli/output.h"
#include "pure/tile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void record(struct verdict *verdict, uint64_t index, const char *format, va_list values)
{
	verdict->index = index;
	vsnprintf(verdict->first, sizeof verdict->first, format, values);
}

void verdict_fault(struct verdict *verdict, uint64_t index, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	if (verdict->faults++ == 0 || index < verdict->index)
		record(verdict, index, format, values);
	va_end(values);
}

void verdict_fault_exact(struct verdict *verdict, uint64_t index, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	index -= index % TILE_WIDTH;
	if (verdict->faults++ == 0 || index <= verdict->index)
		record(verdict, index, format, values);
	va_end(values);
}

void verdict_note(struct verdict *verdict, const char *what, enum note_result result)
{
	verdict_fault(verdict, VERDICT_WHOLE, "%s: %s", what, note_result_text(result));
}

enum exit_code verdict_end(const struct verdict *verdict, const struct invocation *invocation)
{
	if (verdict->faults == 0)
		return EXIT_OK;
	output_flush();
	fprintf(stderr, "%sneedtoknow %s:%s does not verify: ", output_style(stderr, STYLE_BAD),
		invocation->command->name, output_style(stderr, STYLE_PLAIN));
	output_text(stderr, verdict->first);
	putc('\n', stderr);
	if (verdict->faults > 1)
		fprintf(stderr, "  and %" PRIu64 " more that do%s not fit\n", verdict->faults - 1,
			verdict->faults == 2 ? "es" : "");
	return EXIT_FAILED;
}

void verdict_print_checkpoint(const struct checkpoint *checkpoint)
{
	output_line(stdout, "log", checkpoint->origin);
	printf("  %-*s %" PRIu64 "\n", OUTPUT_KEY_WIDTH, "size", checkpoint->size);
	printf("  %-*s ", OUTPUT_KEY_WIDTH, "root");
	output_hex(stdout, checkpoint->root.bytes, MERKLE_HASH_SIZE);
	putchar('\n');
}
