#include "pure/policy_register.h"

#include "cli/format.h"
#include "cli/policy.h"
#include "cli/policy_file.h"
#include "cli/register_print.h"

#include <stdio.h>

/* `policy register`: the record of processing activities from the file alone. */

#define REGISTER_BYTES_MAX ((size_t)64 << 20)

const struct flag policy_register_flags[] = {
	FORMAT_FLAG,
	{ 0 },
};

enum exit_code policy_register_run(const struct invocation *invocation)
{
	enum format format;
	enum exit_code code = format_read(invocation, FORMAT_CSV, &format);
	struct policy *policy = code == EXIT_OK ? policy_file_load(invocation->operand) : NULL;

	if (policy == NULL)
		return code == EXIT_OK ? EXIT_FAILED : code;
	struct arena *arena = arena_new(REGISTER_BYTES_MAX);
	const Needtoknow__V1__GetRegisterResponse *record = policy_register(policy, arena);
	if (record != NULL) {
		code = register_print(record, format);
	} else {
		fprintf(stderr, "%s: its register is larger than %zu bytes\n", invocation->operand, REGISTER_BYTES_MAX);
		code = EXIT_FAILED;
	}
	arena_free(arena);
	policy_free(policy);
	return code;
}
