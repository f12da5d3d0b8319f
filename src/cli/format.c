#include "cli/format.h"

#include "cli/options.h"
#include "pure/nearest.h"

#include <string.h>

static const char *const names[] = {
	[FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_CSV] = "csv", [FORMAT_HTML] = "html"
};

enum exit_code format_read(const struct invocation *invocation, enum format last, enum format *out)
{
	const char *given = flag_value(invocation, "format");
	struct nearest nearest;

	*out = FORMAT_TEXT;
	if (given == NULL)
		return EXIT_OK;
	nearest_init(&nearest, given);
	for (int i = FORMAT_TEXT; i <= (int)last; i++) {
		if (strcmp(names[i], given) == 0) {
			*out = (enum format)i;
			return EXIT_OK;
		}
		nearest_try(&nearest, names[i]);
	}
	fprintf(stderr, "needtoknow %s: --format: `%s` is none of", invocation->command->name, given);
	for (int i = FORMAT_TEXT; i <= (int)last; i++)
		fprintf(stderr, "%s %s", i == FORMAT_TEXT ? "" : i == (int)last ? " and" : ",", names[i]);
	options_suggest(&nearest, "", stderr);
	putc('\n', stderr);
	return EXIT_USAGE;
}
