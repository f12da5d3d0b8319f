#ifndef NEEDTOKNOW_CLI_PRIVATE_FILE_H
#define NEEDTOKNOW_CLI_PRIVATE_FILE_H

#include <limits.h>
#include <stdio.h>

/* A file about a person: readable by its owner alone from the first moment, and there whole or not at all. What is
 * wrong is said on standard error. */
struct private_file {
	FILE *file; /* to write to */
	char *buffer; /* its, wiped at the end */
	const char *path;
	char temporary[PATH_MAX];
};

/* 0, or -1. An existing regular file will be replaced; anything else of that name is refused. */
int private_file_open(struct private_file *out, const char *path);
/* Gives it its name. 0, or -1 and there is no new file. */
int private_file_keep(struct private_file *file);
void private_file_abandon(struct private_file *file);

#endif
