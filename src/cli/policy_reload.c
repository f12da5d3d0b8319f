#include "cli/failure.h"
#include "cli/output.h"
#include "cli/policy.h"
#include "cli/policy_file.h"
#include "cli/show.h"

#include <needtoknow/methods.h>

#include <stdio.h>

/* `policy reload`: the service's policy file takes effect, if it is the one that is given here. */

const struct flag policy_reload_flags[] = {
	{ "approved-by", "NAME", "who approved it, kept beside the ledger", true },
	{ 0 },
};

enum exit_code policy_reload_run(const struct invocation *invocation)
{
	Needtoknow__V1__ReloadPolicyRequest request = NEEDTOKNOW__V1__RELOAD_POLICY_REQUEST__INIT;
	const Needtoknow__V1__ReloadPolicyResponse *response;
	struct needtoknow_status status;
	enum exit_code code = EXIT_USAGE;
	struct policy *policy = policy_file_load(invocation->operand);

	if (policy == NULL)
		return EXIT_USAGE;
	struct needtoknow_client *client = failure_connect(invocation, &code);
	if (client == NULL)
		goto out;
	request.expected_digest.data = (uint8_t *)policy_digest(policy);
	request.expected_digest.len = 32;
	request.approved_by = flag_text(invocation, "approved-by");
	if (needtoknow_reload_policy(client, &request, &response, &status) != 0) {
		code = failure_report(invocation, &status);
		goto out;
	}
	fputs(response->receipt != NULL ? "In force now: SHA-256 " : "Was in force already: SHA-256 ", stdout);
	output_hex(stdout, response->digest.data, response->digest.len);
	putchar('\n');
	show_receipt(response->receipt);
	code = output_flush() == 0 ? EXIT_OK : EXIT_FAILED;
out:
	needtoknow_client_free(client);
	policy_free(policy);
	return code;
}
