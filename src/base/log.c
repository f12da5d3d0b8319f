#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 1024 /* bytes of a formatted message; what is longer is cut and ends in `...` */
#define LINE_MAX_BYTES (4 * 1024) /* a line: short enough that a pipe takes it whole (PIPE_BUF) */
#define PROCESS_MAX 31
#define ESCAPE_LENGTH 4 /* \xNN */

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static enum log_level threshold = LOG_LEVEL_INFO;
static char process_name[PROCESS_MAX + 1];

struct line {
	size_t length;
	char text[LINE_MAX_BYTES];
};

void log_set_level(enum log_level level)
{
	threshold = level;
}

void log_set_process(const char *name)
{
	size_t length = strnlen(name, PROCESS_MAX);
	memcpy(process_name, name, length);
	process_name[length] = '\0';
}

/* How many bytes a control character at `at` takes: C0, DEL, and the C1 controls in UTF-8 (0xC2 0x80..0x9F); 0: it is
 * none. */
static size_t control_length(const unsigned char *at)
{
	if (at[0] < 0x20 || at[0] == 0x7f)
		return 1;
	return at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f ? 2 : 0;
}

/* One byte of every line stays free for its end. */
static void add_escaped(struct line *line, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	while (*at != '\0' && line->length + 2 * ESCAPE_LENGTH < sizeof line->text) {
		size_t control = control_length(at);
		if (control == 0)
			line->text[line->length++] = (char)*at++;
		for (; control > 0; control--)
			line->length +=
				(size_t)snprintf(line->text + line->length, ESCAPE_LENGTH + 1, "\\x%02x", *at++);
	}
}

static void add_time(struct line *line)
{
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	char text[40];
	size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + length, sizeof text - length, ".%03dZ", (int)(now.tv_nsec / 1000000));
	add_escaped(line, text);
}

__attribute__((format(printf, 3, 0))) static void log_write(
	enum log_level level, const char *component, const char *format, va_list arguments)
{
	if (level > threshold)
		return;
	int saved_errno = errno;
	char message[MESSAGE_MAX];
	int length = vsnprintf(message, sizeof message, format, arguments);

	struct line line;
	line.length = 0; /* its text need not be cleared */
	add_time(&line);
	add_escaped(&line, " ");
	add_escaped(&line, level_names[level]);
	if (process_name[0] != '\0') {
		add_escaped(&line, " [");
		add_escaped(&line, process_name);
		add_escaped(&line, "]");
	}
	add_escaped(&line, " ");
	add_escaped(&line, component);
	add_escaped(&line, " ");
	add_escaped(&line, length < 0 ? format : message);
	if (length >= (int)sizeof message)
		add_escaped(&line, "...");
	line.text[line.length++] = '\n';

	/* One write, so that lines of several processes do not mix. There is nobody to tell when it fails. */
	ssize_t written;
	do
		written = write(STDERR_FILENO, line.text, line.length);
	while (written < 0 && errno == EINTR);
	errno = saved_errno;
}

void log_error(const char *component, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_write(LOG_LEVEL_ERROR, component, format, arguments);
	va_end(arguments);
}

void log_warning(const char *component, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_write(LOG_LEVEL_WARNING, component, format, arguments);
	va_end(arguments);
}

void log_info(const char *component, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_write(LOG_LEVEL_INFO, component, format, arguments);
	va_end(arguments);
}

void log_debug(const char *component, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_write(LOG_LEVEL_DEBUG, component, format, arguments);
	va_end(arguments);
}
