#ifndef NEEDTOKNOW_CLI_VERIFY_H
#define NEEDTOKNOW_CLI_VERIFY_H

#include "cli/command.h"
#include "cli/since.h"
#include "cli/trust.h"

extern const struct flag audit_verify_flags[];
enum exit_code audit_verify_run(const struct invocation *invocation);

/* Its three ways. */
enum exit_code verify_live(const struct invocation *invocation, const struct trust *trust, struct since *since);
enum exit_code verify_tiles(
	const struct invocation *invocation, const char *directory, const struct trust *trust, struct since *since);
enum exit_code verify_proof(
	const struct invocation *invocation, const char *proof, const char *entry, const struct trust *trust);

#endif
