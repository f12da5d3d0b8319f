#ifndef NEEDTOKNOW_CLI_POLICY_DATABASE_H
#define NEEDTOKNOW_CLI_POLICY_DATABASE_H

#include "cli/command.h"
#include "pure/policy.h"

/*
 * `policy check --database`: the policy against a company's database, as the role of the connection string. Prints each
 * lookup with its plan and cost, then a line for each thing that is wrong, or that the role may read without need.
 * EXIT_FAILED when the policy cannot take effect there; EXIT_UNAVAILABLE when the database did not answer.
 */
enum exit_code policy_database_check(const struct policy *policy, const char *conninfo);

#endif
