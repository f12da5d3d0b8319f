#ifndef NEEDTOKNOW_TESTS_UNIT_CLI_EXAMPLE_POLICY_H
#define NEEDTOKNOW_TESTS_UNIT_CLI_EXAMPLE_POLICY_H

#include "support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The example policy, and what becomes of it with one piece of it replaced: for the tests of the policy commands. */
#define EXAMPLE_POLICY "deploy/policy.yaml"
#define EXAMPLE_POLICY_MAX 65536

/* Fails with both texts. */
#define HAS(text, part)                                                                                                \
	do {                                                                                                           \
		if (strstr(text, part) == NULL)                                                                        \
			fail_msg("`%s` is not in:\n%s", part, text);                                                   \
	} while (0)

/* Owned by the caller: free(). */
static inline char *example_policy_read(void)
{
	FILE *file = fopen(EXAMPLE_POLICY, "r");
	assert_non_null(file);
	char *text = calloc(1, EXAMPLE_POLICY_MAX);
	assert_true(fread(text, 1, EXAMPLE_POLICY_MAX - 1, file) > 0);
	fclose(file);
	return text;
}

/* With its first `piece` replaced, into the file at `path`. */
static inline void example_policy_write_changed(const char *path, const char *piece, const char *replacement)
{
	char *text = example_policy_read();
	char *at = strstr(text, piece);
	if (at == NULL)
		fail_msg("`%s` is not in " EXAMPLE_POLICY, piece);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%.*s%s%s", (int)(at - text), text, replacement, at + strlen(piece));
	fclose(file);
	free(text);
}

#endif
