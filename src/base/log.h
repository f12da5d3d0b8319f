#ifndef NEEDTOKNOW_BASE_LOG_H
#define NEEDTOKNOW_BASE_LOG_H

/*
 * One line an event on standard error, for journald or a file: `2026-11-23T12:00:00.123Z info database connected
 * host=...`. Who decides logs, once, with the reason. No personal data is ever passed here: ids of our own, names,
 * sizes, times. Control characters in a message are written as \xNN, so that no text from outside can forge a line.
 */
enum log_level {
	LOG_LEVEL_ERROR, /* somebody must act */
	LOG_LEVEL_WARNING, /* somebody should look */
	LOG_LEVEL_INFO, /* what an operator wants to see */
	LOG_LEVEL_DEBUG,
};

/* What is written from now on; LOG_LEVEL_INFO at start. */
void log_set_level(enum log_level level);
/* A short name put into every line, e.g. `worker 1`; copied, at most 31 bytes. */
void log_set_process(const char *name);

void log_error(const char *component, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warning(const char *component, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *component, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_debug(const char *component, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
