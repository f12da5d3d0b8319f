#include "pure/policy_diff.h"

#include "cli/output.h"
#include "cli/policy.h"
#include "cli/policy_file.h"
#include "pure/duration.h"

#include <inttypes.h>
#include <stdio.h>

/* `policy diff`: a line a change, for whoever must agree to it. */

#define LENGTH_TEXT_MAX DURATION_TEXT_MAX

struct report {
	size_t more, less, other;
};

/* ---- what each aspect says ---- */

static const char *recipients_name(const struct policy_service *service)
{
	return service->recipients == RECIPIENT_KIND_STAFF ? "staff" : "providers";
}

static void say_moment(const char *what, const struct moment *before, const struct moment *after)
{
	char was[MOMENT_TEXT_MAX], is[MOMENT_TEXT_MAX];

	moment_format(before, was);
	moment_format(after, is);
	printf("%s %s, no longer %s", what, is, was);
}

static void say_service(const struct policy_change *change)
{
	const struct policy_service *service = change->after != NULL ? change->after : change->before;
	bool first = true;

	printf("%s to %s:", change->after != NULL ? "a new service, that sends" : "is gone; it sent",
		recipients_name(service));
	for (size_t i = 0; i < service->release_count; i++) {
		for (size_t field = 0; field < service->releases[i].field_count; field++) {
			fputs(first ? " " : ", ", stdout);
			output_text(stdout, service->releases[i].fields[field]->name);
			first = false;
		}
	}
}

static void say_field(const struct policy_change *change)
{
	char due[MOMENT_TEXT_MAX];

	if (change->release_after == NULL) {
		fputs("is no longer sent", stdout);
		return;
	}
	moment_format(&change->release_after->at, due);
	printf("is sent too, at %s", due);
}

static void say_source(const struct policy_change *change)
{
	(void)change;
	fputs("is read from another view, or by another key", stdout);
}

static void say_due(const struct policy_change *change)
{
	say_moment("is sent at", &change->release_before->at, &change->release_after->at);
}

static void say_sensitive(const struct policy_change *change)
{
	fputs(change->effect == POLICY_SEES_MORE ? "is no longer sensitive: it may be fetched again at any time"
						 : "is sensitive now: it is not sent again outside its time",
		stdout);
}

static void say_expires(const struct policy_change *change)
{
	say_moment("may be used until", &change->before->expires, &change->after->expires);
}

static void say_delete_within(const struct policy_change *change)
{
	char was[LENGTH_TEXT_MAX], is[LENGTH_TEXT_MAX];

	duration_format(change->before->delete_within, was);
	duration_format(change->after->delete_within, is);
	printf("must be deleted within %s, no longer %s", is, was);
}

static const char *duration_limit(int64_t duration, char text[LENGTH_TEXT_MAX])
{
	if (duration == INT64_MAX)
		return "as long as it likes";
	duration_format(duration, text);
	return text;
}

static void say_max_duration(const struct policy_change *change)
{
	char was[LENGTH_TEXT_MAX], is[LENGTH_TEXT_MAX];

	printf("a booking may last %s, no longer %s", duration_limit(change->after->max_duration, is),
		duration_limit(change->before->max_duration, was));
}

static void say_requires(const struct policy_change *change)
{
	const struct policy_field *before = change->before->requires, *after = change->after->requires;

	if (after == NULL)
		printf("no longer needs %s", before->name);
	else if (before == NULL)
		printf("needs %s now", after->name);
	else
		printf("needs %s, no longer %s", after->name, before->name);
}

static void say_booking(const struct policy_change *change)
{
	fputs(change->after->needs_booking ? "needs a booking of that client now"
					   : "no longer needs a booking of that client",
		stdout);
}

static void say_recipients(const struct policy_change *change)
{
	printf("goes to %s, no longer to %s", recipients_name(change->after), recipients_name(change->before));
}

static void say_legal_basis(const struct policy_change *change)
{
	printf("rests on %s, no longer on %s", legal_basis_name(change->after->legal_basis),
		legal_basis_name(change->before->legal_basis));
	if (change->effect == POLICY_SEES_MORE)
		fputs(": an objection no longer stops it", stdout);
}

static void say_purpose(const struct policy_change *change)
{
	printf("is for ");
	output_text(stdout, change->after->purpose);
	fputs(", no longer for ", stdout);
	output_text(stdout, change->before->purpose);
	if (change->effect == POLICY_SEES_MORE)
		fputs(": an objection no longer stops it", stdout);
}

static void (*const sayings[POLICY_ASPECTS])(const struct policy_change *change) = {
	[POLICY_ASPECT_SERVICE] = say_service,
	[POLICY_ASPECT_FIELD] = say_field,
	[POLICY_ASPECT_SOURCE] = say_source,
	[POLICY_ASPECT_DUE] = say_due,
	[POLICY_ASPECT_SENSITIVE] = say_sensitive,
	[POLICY_ASPECT_EXPIRES] = say_expires,
	[POLICY_ASPECT_DELETE_WITHIN] = say_delete_within,
	[POLICY_ASPECT_MAX_DURATION] = say_max_duration,
	[POLICY_ASPECT_REQUIRES] = say_requires,
	[POLICY_ASPECT_BOOKING] = say_booking,
	[POLICY_ASPECT_RECIPIENTS] = say_recipients,
	[POLICY_ASPECT_LEGAL_BASIS] = say_legal_basis,
	[POLICY_ASPECT_PURPOSE] = say_purpose,
};

/* ---- the command ---- */

static void say(void *context, const struct policy_change *change)
{
	struct report *report = context;
	const struct policy_service *service = change->after != NULL ? change->after : change->before;
	enum style style = change->effect == POLICY_SEES_MORE ? STYLE_BAD
		: change->effect == POLICY_SEES_LESS          ? STYLE_GOOD
							      : STYLE_DIM;

	*(change->effect == POLICY_SEES_MORE                 ? &report->more
			: change->effect == POLICY_SEES_LESS ? &report->less
							     : &report->other) += 1;
	printf("%s%s%s  ", output_style(stdout, style),
		change->effect == POLICY_SEES_MORE           ? "more"
			: change->effect == POLICY_SEES_LESS ? "less"
							     : "same",
		output_style(stdout, STYLE_PLAIN));
	output_text(stdout, service->name);
	fputs(": ", stdout);
	if (change->field != NULL) {
		output_text(stdout, change->field->name);
		putchar(' ');
	}
	sayings[change->aspect](change);
	putchar('\n');
}

enum exit_code policy_diff_run(const struct invocation *invocation)
{
	struct report report = { 0 };
	struct policy *before = policy_file_load(invocation->operand);
	struct policy *after = before != NULL ? policy_file_load(invocation->second_operand) : NULL;
	enum exit_code code = EXIT_USAGE;

	if (after == NULL)
		goto out;
	policy_diff(before, after, say, &report);
	if (report.more + report.less + report.other == 0)
		puts("Nobody sees more or less.");
	else
		printf("%zu more, %zu less, %zu without effect on what is seen.\n", report.more, report.less,
			report.other);
	code = report.more > 0 ? EXIT_FAILED : EXIT_OK;
out:
	policy_free(after);
	policy_free(before);
	return code;
}
