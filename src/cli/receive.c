#include "cli/receive.h"

#include "cli/failure.h"
#include "cli/options.h"
#include "cli/output.h"

#include <needtoknow/receiver.h>

#include <signal.h>
#include <string.h>

#define MASK "********"

const struct flag receive_flags[] = {
	{ "until-empty", NULL, "end when nothing waits any more", false },
	{ "max-unacknowledged", "N", "deliveries on their way at once, 1 to 1024 [64]", false },
	{ "show-sensitive", NULL, "show fields that the policy calls sensitive, such as a door code", false },
	{ "json", NULL, "print one JSON object a line", false },
	{ 0 },
};

struct view {
	bool json, show_sensitive;
	bool broken; /* standard output is gone */
};

/* For the signal handler, which is given nothing. */
static struct needtoknow_receiver *running;

static void stop(int signal_number)
{
	(void)signal_number;
	needtoknow_receiver_stop(running);
}

static void handle_signals(struct needtoknow_receiver *receiver)
{
	struct sigaction action = { .sa_handler = receiver != NULL ? stop : SIG_DFL };

	running = receiver;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* A line has been printed. Without a reader there is no point in going on. */
static void printed(struct view *view, int result)
{
	if (result == 0 || view->broken)
		return;
	view->broken = true;
	needtoknow_receiver_stop(running);
}

static void heading(enum style style, const char *word)
{
	printf("%s%s%s%s ", output_style(stdout, STYLE_BOLD), output_style(stdout, style), word,
		output_style(stdout, STYLE_PLAIN));
}

static void booking_and(const char *booking_id, const char *disclosure_id)
{
	fputs("booking ", stdout);
	output_text(stdout, booking_id[0] != '\0' ? booking_id : "-");
	fputs(", disclosure ", stdout);
	output_text(stdout, disclosure_id);
}

static void print_field(const struct view *view, const Needtoknow__V1__Field *field, int width)
{
	if (field->is_null)
		output_pair(stdout, field->name, width, "(none)");
	else if (field->sensitive && !view->show_sensitive)
		output_pair(stdout, field->name, width, MASK " (--show-sensitive shows it)");
	else
		output_pair(stdout, field->name, width, field->value);
}

static void print_fields(const struct view *view, const Needtoknow__V1__Delivery *delivery)
{
	int width = OUTPUT_KEY_WIDTH;

	for (size_t i = 0; i < delivery->n_fields; i++) {
		int length = (int)strlen(delivery->fields[i]->name);
		width = length > width ? length : width;
	}
	for (size_t i = 0; i < delivery->n_fields; i++)
		print_field(view, delivery->fields[i], width);
}

static void print_delivery(const struct view *view, const Needtoknow__V1__Delivery *delivery)
{
	char time[OUTPUT_TIME_MAX];

	heading(STYLE_GOOD, "DELIVERY");
	output_text(stdout, delivery->release);
	fputs(" of ", stdout);
	output_text(stdout, delivery->service);
	fputs(" for ", stdout);
	booking_and(delivery->booking_id, delivery->disclosure_id);
	if (delivery->cause != NEEDTOKNOW__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_NEW)
		printf(" (%s)", output_enum(&needtoknow__v1__delivery_cause__descriptor, (int)delivery->cause));
	putchar('\n');
	output_line(stdout, "purpose", delivery->purpose);
	output_line(stdout, "from", output_time(delivery->starts_at, time));
	output_line(stdout, "to", output_time(delivery->ends_at, time));
	output_line(stdout, "use until", output_time(delivery->expires_at, time));
	output_line(stdout, "delete by", output_time(delivery->delete_by, time));
	print_fields(view, delivery);
}

/* `{"event":"delivery",...}`: the event first, then the message. */
static json_t *event_json(const char *event, const ProtobufCMessage *message)
{
	json_t *object = json_object();

	json_object_set_new(object, "event", json_string(event));
	if (message != NULL) {
		json_t *fields = output_json(message);
		json_object_update(object, fields);
		json_decref(fields);
	}
	return object;
}

static json_t *delivery_json(const struct view *view, const Needtoknow__V1__Delivery *delivery)
{
	json_t *object = event_json("delivery", &delivery->base);
	json_t *fields = json_object_get(object, "fields");

	for (size_t i = 0; i < delivery->n_fields; i++) {
		json_t *field = json_array_get(fields, i);
		bool masked = delivery->fields[i]->sensitive && !view->show_sensitive;
		json_object_set_new(field, "masked", json_boolean(masked));
		if (masked || delivery->fields[i]->is_null)
			json_object_set_new(field, "value", json_null());
	}
	return object;
}

static int on_delivery(void *context, const Needtoknow__V1__Delivery *delivery)
{
	struct view *view = context;

	if (view->broken)
		return -1;
	if (view->json) {
		printed(view, output_json_line(delivery_json(view, delivery)));
	} else {
		print_delivery(view, delivery);
		printed(view, output_flush());
	}
	return view->broken ? -1 : 0; /* what was not shown is not acknowledged */
}

static void on_withdrawal(
	void *context, const Needtoknow__V1__Withdrawal *withdrawal, size_t wiped, struct needtoknow_deletion *deletion)
{
	struct view *view = context;
	char time[OUTPUT_TIME_MAX];

	(void)deletion; /* nothing is kept but what the receiver has just wiped */
	if (view->json) {
		json_t *object = event_json("withdrawal", &withdrawal->base);
		json_object_set_new(object, "wiped", json_integer((json_int_t)wiped));
		printed(view, output_json_line(object));
		return;
	}
	heading(STYLE_BAD, "WITHDRAWAL");
	booking_and(withdrawal->booking_id, withdrawal->disclosure_id);
	printf(": %s, stop using it\n",
		output_enum(&needtoknow__v1__withdrawal_cause__descriptor, (int)withdrawal->cause));
	printf("  %zu deliver%s wiped from memory; whatever was copied is to be deleted by %s\n", wiped,
		wiped == 1 ? "y" : "ies", output_time(withdrawal->delete_by, time));
	printed(view, output_flush());
}

static void on_expiry(void *context, const char *disclosure_id, const char *booking_id, size_t wiped)
{
	struct view *view = context;

	if (view->json) {
		json_t *object = event_json("expiry", NULL);
		json_object_set_new(object, "disclosure_id", json_string(disclosure_id));
		json_object_set_new(object, "booking_id", json_string(booking_id));
		json_object_set_new(object, "wiped", json_integer((json_int_t)wiped));
		printed(view, output_json_line(object));
		return;
	}
	heading(STYLE_WARNING, "EXPIRED");
	booking_and(booking_id, disclosure_id);
	printf(": its time is over, %zu deliver%s wiped from memory\n", wiped, wiped == 1 ? "y" : "ies");
	printed(view, output_flush());
}

static void on_restriction(void *context, const Needtoknow__V1__Restriction *restriction)
{
	struct view *view = context;

	if (view->json) {
		printed(view, output_json_line(event_json("restriction", &restriction->base)));
		return;
	}
	heading(STYLE_WARNING, "RESTRICTION");
	fputs("disclosure ", stdout);
	output_text(stdout, restriction->disclosure_id);
	puts(restriction->lifted ? ": lifted, it may be used again" : ": keep it, do not use it, until this is lifted");
	printed(view, output_flush());
}

static void on_confirmed(void *context, const char *disclosure_id)
{
	struct view *view = context;

	if (view->json) {
		json_t *object = event_json("confirmed", NULL);
		json_object_set_new(object, "disclosure_id", json_string(disclosure_id));
		printed(view, output_json_line(object));
		return;
	}
	heading(STYLE_PLAIN, "CONFIRMED");
	fputs("disclosure ", stdout);
	output_text(stdout, disclosure_id);
	puts(": needtoknow has recorded its deletion");
	printed(view, output_flush());
}

static void on_connection(void *context, const struct needtoknow_status *why, uint32_t retry_ms)
{
	(void)context;
	if (why == NULL) {
		fputs("needtoknow receive: connected\n", stderr);
		return;
	}
	fputs("needtoknow receive: ", stderr);
	output_text(stderr, why->message[0] != '\0' ? why->message : needtoknow_status_name(why->code));
	fprintf(stderr, "; again in %u.%u s\n", (unsigned)retry_ms / 1000, (unsigned)retry_ms % 1000 / 100);
}

enum exit_code receive_run(const struct invocation *invocation)
{
	struct view view = { .json = flag_given(invocation, "json"),
		.show_sensitive = flag_given(invocation, "show-sensitive") };
	const struct needtoknow_receiver_handler handler = { on_delivery, on_withdrawal, on_expiry, on_restriction,
		on_confirmed, on_connection, &view };
	struct needtoknow_options options;
	struct needtoknow_status status;
	int32_t max_unacknowledged = 0;
	enum exit_code code = options_connection(invocation, &options, stderr);

	if (code == EXIT_OK)
		code = options_number(invocation, "max-unacknowledged", 1, 1024, &max_unacknowledged, stderr);
	if (code != EXIT_OK)
		return code;
	const struct needtoknow_receiver_options receiver_options = {
		.max_unacknowledged = (uint32_t)max_unacknowledged,
		.until_empty = flag_given(invocation, "until-empty"),
		.keep = 1,
	};
	struct needtoknow_receiver *receiver = needtoknow_receiver_new(&options, &receiver_options, &handler, &status);
	if (receiver == NULL)
		return failure_report(invocation, &status);
	handle_signals(receiver);
	if (needtoknow_receiver_run(receiver, &status) != 0)
		code = failure_report(invocation, &status);
	handle_signals(NULL);
	needtoknow_receiver_free(receiver);
	return view.broken ? EXIT_FAILED : code;
}
