#include "cli/command.h"
#include "cli/output.h"

#include <needtoknow/client.h>

#include <signal.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	if (needtoknow_protect_memory() != 0) {
		fputs("needtoknow: cannot have OpenSSL wipe its memory\n", stderr);
		return EXIT_FAILED;
	}
	signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error of the write */
	output_init();
	return (int)cli_main(argc, argv);
}
