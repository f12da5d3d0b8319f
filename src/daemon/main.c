#include "daemon/commands.h"
#include "io/database.h"
#include "io/tls.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	char error[256];
	/* Before anything else uses OpenSSL, or libpq: what they free is wiped (P3). */
	if (tls_wipe_on_free() != 0) {
		fputs("needtoknowd: cannot have OpenSSL wipe its memory\n", stderr);
		return EXIT_CODE_FAILED;
	}
	if (database_check_library(error, sizeof error) != 0) {
		fprintf(stderr, "needtoknowd: %s\n", error);
		return EXIT_CODE_FAILED;
	}
	return commands_main(argc, argv);
}
