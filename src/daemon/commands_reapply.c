#include "daemon/commands.h"
#include "daemon/configuration.h"
#include "daemon/reapply.h"

#include "base/log.h"

#include <stdio.h>

int command_reapply(const char *const *values)
{
	char error[1024];
	struct configuration *configuration;
	log_set_process("reapply");
	if (configuration_load(values[REAPPLY_CONFIG], &configuration, error, sizeof error) != 0) {
		fprintf(stderr, "reapply-erasures: %s\n", error);
		return EXIT_CODE_FAILED;
	}
	log_set_level(configuration->log_level);
	int status = reapply_run(configuration, stdout, stderr);
	configuration_free(configuration);
	return status == 0 ? EXIT_CODE_DONE : EXIT_CODE_FAILED;
}
