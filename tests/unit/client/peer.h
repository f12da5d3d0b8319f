#ifndef NEEDTOKNOW_TESTS_UNIT_CLIENT_PEER_H
#define NEEDTOKNOW_TESTS_UNIT_CLIENT_PEER_H

#include <needtoknow/client.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The server of peer.py as a child process, with its certificates in a directory of its own. */
struct peer {
	char directory[64];
	char address[32];
	char ca[96], certificate[96], key[96], stranger[96], stranger_key[96], other_ca[96];
	pid_t pid;
	int input; /* closed: it ends */
};

static inline void peer_paths(struct peer *peer)
{
	snprintf(peer->ca, sizeof peer->ca, "%s/ca.crt", peer->directory);
	snprintf(peer->other_ca, sizeof peer->other_ca, "%s/other.crt", peer->directory);
	snprintf(peer->certificate, sizeof peer->certificate, "%s/client.crt", peer->directory);
	snprintf(peer->key, sizeof peer->key, "%s/client.key", peer->directory);
	snprintf(peer->stranger, sizeof peer->stranger, "%s/stranger.crt", peer->directory);
	snprintf(peer->stranger_key, sizeof peer->stranger_key, "%s/stranger.key", peer->directory);
}

/* 0, or -1 when it did not come up. */
static inline int peer_start(struct peer *peer)
{
	static const char here[] = __FILE__;
	char script[512];
	char line[32] = "";
	int input[2], output[2];

	snprintf(script, sizeof script, "%.*speer.py", (int)(strrchr(here, '/') + 1 - here), here);
	snprintf(peer->directory, sizeof peer->directory, "/tmp/needtoknow-peer-XXXXXX");
	if (mkdtemp(peer->directory) == NULL || pipe(input) != 0 || pipe(output) != 0)
		return -1;
	peer_paths(peer);
	peer->pid = fork();
	if (peer->pid == 0) {
		dup2(input[0], STDIN_FILENO);
		dup2(output[1], STDOUT_FILENO);
		close(input[1]);
		close(output[0]);
		execl("/usr/bin/python3", "/usr/bin/python3", script, peer->directory, (char *)NULL);
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	peer->input = input[1];
	FILE *answer = fdopen(output[0], "r");
	if (answer == NULL || fgets(line, sizeof line, answer) == NULL)
		return -1;
	fclose(answer);
	snprintf(peer->address, sizeof peer->address, "127.0.0.1:%ld", strtol(line, NULL, 10));
	return 0;
}

static inline void peer_stop(struct peer *peer)
{
	char command[128];

	close(peer->input);
	waitpid(peer->pid, NULL, 0);
	snprintf(command, sizeof command, "rm -rf '%s'", peer->directory);
	if (system(command) != 0)
		fprintf(stderr, "%s is left behind\n", peer->directory);
}

static inline struct needtoknow_options peer_options(const struct peer *peer)
{
	return (struct needtoknow_options){
		.address = peer->address,
		.ca = peer->ca,
		.certificate = peer->certificate,
		.key = peer->key,
	};
}

#endif
