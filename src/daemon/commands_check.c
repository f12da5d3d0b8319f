#include "daemon/check.h"
#include "daemon/commands.h"

#include <stdio.h>

static void say(void *context, enum check_result result, const char *line)
{
	static const char *const words[] = {
		[CHECK_GOOD] = "warning",
		[CHECK_UNANSWERED] = "unknown",
		[CHECK_WRONG] = "wrong",
	};
	(void)context;
	printf("%s: %s\n", words[result], line);
}

static const struct check_report report = { .say = say };

int command_check(const char *const *values)
{
	static const int codes[] = {
		[CHECK_GOOD] = EXIT_CODE_DONE,
		[CHECK_UNANSWERED] = EXIT_CODE_UNANSWERED,
		[CHECK_WRONG] = EXIT_CODE_FAILED,
	};
	char error[1024];
	struct configuration *configuration;
	struct policy *policy = NULL;
	SSL_CTX *tls = NULL;
	if (configuration_load(values[CHECK_CONFIG], &configuration, error, sizeof error) != 0) {
		say(NULL, CHECK_WRONG, error);
		return EXIT_CODE_FAILED;
	}
	enum check_result result = check_files(configuration, &report, &tls, &policy);
	if (result == CHECK_GOOD && !values[CHECK_OFFLINE])
		result = check_databases(configuration, policy, &report);
	if (result == CHECK_GOOD)
		printf("%s is in order\n", values[CHECK_CONFIG]);
	policy_free(policy);
	SSL_CTX_free(tls);
	configuration_free(configuration);
	return codes[result];
}
