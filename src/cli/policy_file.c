#include "cli/policy_file.h"

#include "base/buffer.h"
#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define POLICY_BYTES_MAX (1024 * 1024)

static int read_file(const char *path, struct buffer *out)
{
	char block[4096];
	size_t length;
	int result = -1;
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while ((length = fread(block, 1, sizeof block, file)) > 0) {
		if (buffer_append(out, block, length) != 0) {
			fprintf(stderr, "%s: larger than %d bytes: is it a policy?\n", path, POLICY_BYTES_MAX);
			goto out;
		}
	}
	if (ferror(file)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		goto out;
	}
	result = 0;
out:
	fclose(file);
	return result;
}

struct policy *policy_file_load(const char *path)
{
	struct policy_error error = { 0 };
	struct policy *policy = NULL;
	struct buffer text;

	buffer_init(&text, POLICY_BYTES_MAX);
	if (read_file(path, &text) != 0)
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
