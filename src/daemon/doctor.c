#include "daemon/doctor.h"

#include "base/memory.h"
#include "daemon/doctor_address.h"
#include "daemon/doctor_database.h"
#include "daemon/doctor_files.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#define LINE_MAX_BYTES 1536
#define ABOUT_WIDTH 15

struct finding {
	enum doctor_status status;
	const char *about; /* static text; NULL: there is none to be written */
	char text[LINE_MAX_BYTES], mend[LINE_MAX_BYTES];
	char *detail; /* mem_free() */
};

struct doctor {
	const struct configuration *configuration;
	struct policy *policy;
	struct doctor_style style;
	FILE *out;
	struct finding last;
	unsigned counts[DOCTOR_STATUSES];
};

static const struct {
	const char *word, *colour;
} statuses[DOCTOR_STATUSES] = {
	[DOCTOR_OK] = { "ok", "\033[32m" },
	[DOCTOR_WARNING] = { "warning", "\033[33m" },
	[DOCTOR_UNKNOWN] = { "unknown", "\033[33m" },
	[DOCTOR_WRONG] = { "wrong", "\033[31m" },
};

struct doctor *doctor_new(const struct configuration *configuration, const struct doctor_style *style, FILE *out)
{
	struct doctor *doctor = mem_calloc(1, sizeof *doctor);
	doctor->configuration = configuration;
	doctor->style = *style;
	doctor->out = out;
	return doctor;
}

void doctor_free(struct doctor *doctor)
{
	if (!doctor)
		return;
	policy_free(doctor->policy);
	mem_free(doctor->last.detail);
	mem_free(doctor);
}

/* ---- writing ---- */

/* A string of JSON; NULL is null. What a server or a file said may hold anything. */
static void write_json_text(FILE *out, const char *text)
{
	if (!text) {
		fputs("null", out);
		return;
	}
	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void write_json(const struct doctor *doctor, const struct finding *finding)
{
	const struct {
		const char *name, *text;
	} members[] = {
		{ "status", statuses[finding->status].word },
		{ "about", finding->about },
		{ "finding", finding->text },
		{ "mend", *finding->mend ? finding->mend : NULL },
		{ "details", doctor->style.verbose ? finding->detail : NULL },
	};
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		fprintf(doctor->out, "%s\"%s\":", i == 0 ? "{" : ",", members[i].name);
		write_json_text(doctor->out, members[i].text);
	}
	fputs("}\n", doctor->out);
}

/* No control character reaches a terminal. */
static void write_text(FILE *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		putc(c < 0x20 || c == 0x7f ? ' ' : c, out);
	}
	putc('\n', out);
}

static void write_plain(const struct doctor *doctor, const struct finding *finding)
{
	bool colours = doctor->style.colours;
	fprintf(doctor->out, "%s%-8s%s %-*s ", colours ? statuses[finding->status].colour : "",
		statuses[finding->status].word, colours ? "\033[0m" : "", ABOUT_WIDTH, finding->about);
	write_text(doctor->out, finding->text, strlen(finding->text));
	if (*finding->mend) {
		fprintf(doctor->out, "%*s mend: ", 8 + ABOUT_WIDTH + 1, "");
		write_text(doctor->out, finding->mend, strlen(finding->mend));
	}
	const char *line = doctor->style.verbose && finding->detail ? finding->detail : "";
	while (*line) {
		size_t length = strcspn(line, "\n");
		fprintf(doctor->out, "%*s ", 8 + ABOUT_WIDTH + 1, "");
		write_text(doctor->out, line, length);
		line += length + (line[length] == '\n');
	}
}

static void flush(struct doctor *doctor)
{
	struct finding *last = &doctor->last;
	if (last->about) {
		if (doctor->style.json)
			write_json(doctor, last);
		else
			write_plain(doctor, last);
		fflush(doctor->out);
	}
	mem_free(last->detail);
	*last = (struct finding){ .about = NULL };
}

/* ---- findings ---- */

void doctor_find(struct doctor *doctor, enum doctor_status status, const char *about, const char *format, ...)
{
	va_list arguments;
	flush(doctor);
	doctor->last.status = status;
	doctor->last.about = about;
	doctor->counts[status]++;
	va_start(arguments, format);
	vsnprintf(doctor->last.text, sizeof doctor->last.text, format, arguments);
	va_end(arguments);
}

void doctor_mend(struct doctor *doctor, const char *format, ...)
{
	va_list arguments;
	assert(doctor->last.about);
	va_start(arguments, format);
	vsnprintf(doctor->last.mend, sizeof doctor->last.mend, format, arguments);
	va_end(arguments);
}

void doctor_detail(struct doctor *doctor, const char *text)
{
	assert(doctor->last.about);
	mem_free(doctor->last.detail);
	doctor->last.detail = mem_strdup(text);
}

void doctor_relay(void *context, enum check_result result, const char *line)
{
	struct doctor_relay *relay = context;
	enum doctor_status status = result == CHECK_WRONG ? DOCTOR_WRONG
		: result == CHECK_UNANSWERED              ? DOCTOR_UNKNOWN
							  : relay->warning;
	relay->lines++;
	doctor_find(relay->doctor, status, relay->about, "%s", line);
}

/* ---- all of it ---- */

const struct configuration *doctor_configuration(const struct doctor *doctor)
{
	return doctor->configuration;
}

const struct policy *doctor_policy(const struct doctor *doctor)
{
	return doctor->policy;
}

void doctor_take_policy(struct doctor *doctor, struct policy *policy)
{
	policy_free(doctor->policy);
	doctor->policy = policy;
}

void doctor_examine(struct doctor *doctor)
{
	doctor_files(doctor);
	doctor_databases(doctor);
	doctor_addresses(doctor);
	flush(doctor);
}

enum doctor_status doctor_conclude(struct doctor *doctor)
{
	flush(doctor);
	if (!doctor->style.json)
		fprintf(doctor->out, "%u ok, %u warning, %u unknown, %u wrong\n", doctor->counts[DOCTOR_OK],
			doctor->counts[DOCTOR_WARNING], doctor->counts[DOCTOR_UNKNOWN], doctor->counts[DOCTOR_WRONG]);
	for (int status = DOCTOR_WRONG; status > DOCTOR_OK; status--) {
		if (doctor->counts[status])
			return (enum doctor_status)status;
	}
	return DOCTOR_OK;
}
