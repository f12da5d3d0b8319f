#ifndef NEEDTOKNOW_CLI_FORMAT_H
#define NEEDTOKNOW_CLI_FORMAT_H

#include "cli/command.h"

/* How results are written: --format. */
enum format {
	FORMAT_TEXT, /* for people */
	FORMAT_JSON, /* an object a line */
	FORMAT_CSV, /* csv.h */
	FORMAT_HTML, /* a page to print */
};

#define FORMAT_FLAG                                                                                                    \
	{                                                                                                              \
		"format", "FORMAT", "text, json or csv [text]", false                                                  \
	}

/* EXIT_OK and *out, text when the flag is not given; or EXIT_USAGE after a line. Formats after `last` are not known. */
enum exit_code format_read(const struct invocation *invocation, enum format last, enum format *out);

#endif
