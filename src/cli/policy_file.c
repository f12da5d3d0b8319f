#include "cli/policy_file.h"

#include "cli/file.h"
#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define POLICY_BYTES_MAX (1024 * 1024)

struct policy *policy_file_load(const char *path)
{
	struct policy_error error = { 0 };
	struct policy *policy = NULL;
	struct buffer text;

	buffer_init(&text, POLICY_BYTES_MAX);
	enum file_result result = file_read(path, &text);
	if (result == FILE_ABSENT)
		fprintf(stderr, "%s: %s\n", path, strerror(ENOENT));
	if (result != FILE_OK)
		goto out;
	policy = policy_parse(text.data != NULL ? (const char *)text.data : "", text.length, &error);
	if (policy != NULL)
		goto out;
	fprintf(stderr, "%s:", path);
	if (error.line > 0)
		fprintf(stderr, "%d:%d:", error.line, error.column);
	putc(' ', stderr);
	output_text(stderr, error.message);
	putc('\n', stderr);
out:
	buffer_release(&text);
	return policy;
}
