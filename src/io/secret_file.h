#ifndef NEEDTOKNOW_IO_SECRET_FILE_H
#define NEEDTOKNOW_IO_SECRET_FILE_H

#include <stddef.h>
#include <sys/stat.h>

/*
 * Who may read a file that holds a secret, as PostgreSQL has it with ssl_key_file: nobody but the owner, who is us or
 * root; or root, with reading left to a group that we are in (a key that the system's certificate group shares among
 * daemons). 0, or -1 and in `error` a sentence that begins with the path.
 */
int secret_file_check(const struct stat *file, const char *path, char *error, size_t error_size);

#endif
