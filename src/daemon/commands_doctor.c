#include "daemon/commands.h"
#include "daemon/doctor.h"

#include <stdlib.h>
#include <unistd.h>

/* https://no-color.org */
static bool wants_colours(void)
{
	const char *refused = getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) && !(refused && *refused);
}

int command_doctor(const char *const *values)
{
	static const int codes[DOCTOR_STATUSES] = {
		[DOCTOR_OK] = EXIT_CODE_DONE,
		[DOCTOR_WARNING] = EXIT_CODE_DONE,
		[DOCTOR_UNKNOWN] = EXIT_CODE_UNANSWERED,
		[DOCTOR_WRONG] = EXIT_CODE_FAILED,
	};
	const struct doctor_style style = {
		.json = values[DOCTOR_JSON] != NULL,
		.verbose = values[DOCTOR_VERBOSE] != NULL,
		.colours = wants_colours(),
	};
	char error[1024];
	struct configuration *configuration = NULL;
	bool readable = configuration_load(values[DOCTOR_CONFIG], &configuration, error, sizeof error) == 0;
	struct doctor *doctor = doctor_new(configuration, &style, stdout);
	if (readable) {
		doctor_examine(doctor);
	} else {
		doctor_find(doctor, DOCTOR_WRONG, "configuration", "%s", error);
		doctor_mend(doctor, "mend that, as the daemon's user sees it; needtoknowd check --offline --config %s",
			values[DOCTOR_CONFIG]);
	}
	int code = codes[doctor_conclude(doctor)];
	doctor_free(doctor);
	configuration_free(configuration);
	return code;
}
