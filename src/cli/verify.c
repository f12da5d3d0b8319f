#include "cli/verify.h"

#include <stdio.h>

const struct flag audit_verify_flags[] = {
	TRUST_VKEY_FLAG,
	{ "since", "FILE", "an earlier checkpoint that the log must still continue", false },
	{ "tiles", "DIR", "offline: an exported directory, of any C2SP log", false },
	{ "leaves-only", NULL, "with --tiles: that log publishes no entries", false },
	{ "proof", "FILE", "offline: a C2SP tlog-proof file of one entry", false },
	{ "entry", "FILE", "the bytes of that entry", false },
	{ 0 },
};

static enum exit_code usage(const struct invocation *invocation, const char *what)
{
	fprintf(stderr, "needtoknow %s: %s\n", invocation->command->name, what);
	return EXIT_USAGE;
}

enum exit_code audit_verify_run(const struct invocation *invocation)
{
	const char *tiles = flag_value(invocation, "tiles");
	const char *proof = flag_value(invocation, "proof");
	const char *entry = flag_value(invocation, "entry");
	struct trust trust;
	struct since since;

	if ((proof != NULL) != (entry != NULL))
		return usage(invocation, "--proof and --entry belong together");
	if (proof != NULL && (tiles != NULL || flag_given(invocation, "since")))
		return usage(invocation, "a proof is of one entry: --tiles and --since do not go with it");
	if (flag_given(invocation, "leaves-only") && tiles == NULL)
		return usage(invocation, "--leaves-only goes with --tiles");
	enum exit_code code = trust_read(invocation, true, &trust);
	if (code != EXIT_OK)
		return code;
	if (proof != NULL)
		return verify_proof(invocation, proof, entry, &trust);
	code = since_read(invocation, &trust, &since);
	if (code == EXIT_OK)
		code = tiles != NULL ? verify_tiles(invocation, tiles, &trust, &since)
				     : verify_live(invocation, &trust, &since);
	since_release(&since);
	return code;
}
