#include "cli/private_file.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER 65536

static int failed(const char *path, const char *why)
{
	fprintf(stderr, "%s: %s\n", path, why);
	return -1;
}

int private_file_open(struct private_file *out, const char *path)
{
	struct stat status;
	int descriptor;

	if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return failed(path, "is there and is no regular file; it would be replaced");
	if (snprintf(out->temporary, sizeof out->temporary, "%s.XXXXXX", path) >= (int)sizeof out->temporary)
		return failed(path, "the name is too long");
	descriptor = mkstemp(out->temporary); /* mode 0600 */
	if (descriptor < 0)
		return failed(path, strerror(errno));
	out->path = path;
	out->file = fdopen(descriptor, "w");
	if (out->file != NULL) {
		out->buffer = mem_alloc(BUFFER);
		setvbuf(out->file, out->buffer, _IOFBF, BUFFER);
		return 0;
	}
	close(descriptor);
	unlink(out->temporary);
	return failed(path, strerror(errno));
}

int private_file_keep(struct private_file *file)
{
	int broken = fflush(file->file) != 0 || ferror(file->file) || fsync(fileno(file->file)) != 0;
	int why = errno;

	int closed = fclose(file->file);
	mem_free(file->buffer);
	if (closed == 0 && !broken && rename(file->temporary, file->path) == 0)
		return 0;
	if (!broken)
		why = errno;
	unlink(file->temporary);
	return failed(file->path, strerror(why));
}

void private_file_abandon(struct private_file *file)
{
	fclose(file->file);
	mem_free(file->buffer);
	unlink(file->temporary);
	fprintf(stderr, "%s: could not be written\n", file->path);
}
