#include "io/secret_file.h"

#include <stdio.h>
#include <unistd.h>

int secret_file_check(const struct stat *file, const char *path, char *error, size_t error_size)
{
	if (!S_ISREG(file->st_mode)) {
		snprintf(error, error_size, "%s is not a regular file", path);
		return -1;
	}
	if (file->st_uid != geteuid() && file->st_uid != 0) {
		snprintf(error, error_size,
			"%s belongs to neither this user nor root: anyone who owns it can replace it", path);
		return -1;
	}
	mode_t allowed = file->st_uid == 0 ? S_IRUSR | S_IWUSR | S_IRGRP : S_IRUSR | S_IWUSR;
	if ((file->st_mode & (S_IRWXG | S_IRWXO)) & ~allowed) {
		snprintf(error, error_size,
			"%s can be read or written by others (mode %04o): chmod 0600, or 0640 when root owns it", path,
			(unsigned)(file->st_mode & 07777));
		return -1;
	}
	return 0;
}
