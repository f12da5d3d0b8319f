#include "cli/labels.h"
#include "cli/output.h"
#include "cli/phrases.h"
#include "cli/policy.h"
#include "cli/policy_file.h"
#include "pure/duration.h"
#include "pure/nearest.h"

#include <stdio.h>
#include <string.h>

/* `policy explain`: what a service lets whom have, when and why, in sentences that a data-protection officer can sign.
 */

const struct flag policy_explain_flags[] = {
	{ "language", "en|fr", "write in this language [that of LC_ALL, LC_MESSAGES or LANG; else fr]", false },
	{ 0 },
};

#define WORDS_MAX 160

struct pair {
	const char *words[LANGUAGE_COUNT];
};
#define PAIR(english, french)                                                                                          \
	{                                                                                                              \
		{                                                                                                      \
			english, french                                                                                \
		}                                                                                                      \
	}
_Static_assert(LANGUAGE_COUNT == 2, "each pair has words in each language");

static const struct pair bases[] = {
	[LEGAL_BASIS_CONTRACT] = PAIR("because the contract needs it (GDPR, Article 6(1)(b))",
		"car le contrat le rend nécessaire (RGPD, article 6, paragraphe 1, point b)"),
	[LEGAL_BASIS_CONSENT] =
		PAIR("because the client consents, and until the client no longer does (GDPR, Article 6(1)(a))",
			"car le client y consent, et tant qu'il y consent (RGPD, article 6, paragraphe 1, point a)"),
	[LEGAL_BASIS_LEGITIMATE_INTEREST] =
		PAIR("for a legitimate interest, unless the client objects (GDPR, Article 6(1)(f))",
			"pour un intérêt légitime, sauf opposition du client (RGPD, article 6, paragraphe 1, point f)"),
	[LEGAL_BASIS_LEGAL_OBLIGATION] = PAIR("because the law obliges to it (GDPR, Article 6(1)(c))",
		"car la loi y oblige (RGPD, article 6, paragraphe 1, point c)"),
	[LEGAL_BASIS_VITAL_INTEREST] = PAIR("to protect somebody's life (GDPR, Article 6(1)(d))",
		"pour protéger la vie d'une personne (RGPD, article 6, paragraphe 1, point d)"),
	[LEGAL_BASIS_PUBLIC_TASK] =
		PAIR("for a task in the public interest, unless the client objects (GDPR, Article 6(1)(e))",
			"pour une mission d'intérêt public, sauf opposition du client (RGPD, article 6, paragraphe 1, "
			"point e)"),
};

/* A moment, by its anchor and by whether it lies before it, at it or after it. {} stands for how long. */
static const struct pair from[][3] = {
	[MOMENT_BOOKED] = { PAIR("From the booking on", "Dès la réservation"),
		PAIR("From the booking on", "Dès la réservation"),
		PAIR("From {} after the booking on", "À partir de {} après la réservation") },
	[MOMENT_START] = { PAIR("From {} before the start", "À partir de {} avant le début"),
		PAIR("From the start", "À partir du début"),
		PAIR("From {} after the start", "À partir de {} après le début") },
	[MOMENT_END] = { PAIR("From {} before the end", "À partir de {} avant la fin"),
		PAIR("From the end", "À partir de la fin"),
		PAIR("From {} after the end", "À partir de {} après la fin") },
};
static const struct pair until[][3] = {
	[MOMENT_BOOKED] = { PAIR("until {} before the booking", "jusqu'à {} avant la réservation"),
		PAIR("until the booking", "jusqu'à la réservation"),
		PAIR("until {} after the booking", "jusqu'à {} après la réservation") },
	[MOMENT_START] = { PAIR("until {} before the start", "jusqu'à {} avant le début"),
		PAIR("until the start", "jusqu'au début"),
		PAIR("until {} after the start", "jusqu'à {} après le début") },
	[MOMENT_END] = { PAIR("until {} before the end", "jusqu'à {} avant la fin"),
		PAIR("until the end", "jusqu'à la fin"), PAIR("until {} after the end", "jusqu'à {} après la fin") },
};

static const char *say(enum language language, const char *english, const char *french)
{
	return language == LANGUAGE_FRENCH ? french : english;
}

static void print_duration(enum language language, int64_t duration)
{
	char text[DURATION_TEXT_MAX], words[PHRASE_TIME_MAX];

	duration_format(duration, text);
	phrase_duration(language, text, words);
	fputs(words, stdout);
}

static void print_moment(enum language language, const struct pair (*words)[3], const struct moment *moment)
{
	int place = moment->offset < 0 ? 0 : moment->offset > 0 ? 2 : 1;
	const char *text = words[moment->anchor][place].words[language];
	const char *gap = strstr(text, "{}");

	if (gap == NULL) {
		fputs(text, stdout);
		return;
	}
	fwrite(text, 1, (size_t)(gap - text), stdout);
	print_duration(language, moment->offset < 0 ? -moment->offset : moment->offset);
	fputs(gap + 2, stdout);
}

/* `of the client: first name, home address; of the booking: tasks` */
static void print_fields(enum language language, const struct policy *policy, const struct policy_release *release)
{
	const struct policy_source *source = NULL;
	char label[LABEL_MAX];

	for (size_t i = 0; i < release->field_count; i++) {
		const struct policy_field *field = release->fields[i];
		if (field->source != source) {
			fputs(source == NULL ? "" : say(language, "; ", " ; "), stdout);
			source = field->source;
			if (source == policy_subjects(policy))
				fputs(say(language, "of the client: ", "du client : "), stdout);
			else if (source == policy_bookings(policy))
				fputs(say(language, "of the booking: ", "de la réservation : "), stdout);
			else
				printf(say(language, "of %s: ", "de %s : "), source->name);
		} else {
			fputs(", ", stdout);
		}
		label_field(language, field->name, label);
		output_text(stdout, label);
	}
}

static void print_release(enum language language, const struct policy *policy, const struct policy_service *service,
	const struct policy_release *release)
{
	bool staff = service->recipients == RECIPIENT_KIND_STAFF;

	fputs("- ", stdout);
	print_moment(language, from, &release->at);
	putchar(' ');
	print_moment(language, until, &service->expires);
	fputs(staff ? say(language, ", the member of staff gets, ", ", le collaborateur reçoit, ")
		    : say(language, ", the provider gets, ", ", le prestataire reçoit, "),
		stdout);
	print_fields(language, policy, release);
	putchar('.');
	if (release->sensitive)
		fputs(say(language, " This is sensitive: it is masked, and not sent again outside that time.",
			      " C'est sensible : masqué, et jamais renvoyé en dehors de ce délai."),
			stdout);
	putchar('\n');
}

static void print_terms(enum language language, const struct policy_service *service)
{
	char label[LABEL_MAX];

	fputs(say(language, "- It must be deleted within ", "- Tout doit être supprimé dans un délai de "), stdout);
	print_duration(language, service->delete_within);
	fputs(say(language, " of the end.\n", " après cette fin.\n"), stdout);
	if (service->requires != NULL) {
		label_field(language, service->requires->name, label);
		printf(say(language, "- Nothing is sent unless this is true: %s (%s).\n",
			       "- Rien n'est envoyé si ceci n'est pas vrai : %s (%s).\n"),
			label, service->requires->name);
	}
	if (!service->needs_booking)
		fputs(say(language, "- It needs no booking.\n", "- Aucune réservation n'est nécessaire.\n"), stdout);
	if (service->max_duration != INT64_MAX) {
		fputs(say(language, "- It may last ", "- La durée ne dépasse pas "), stdout);
		print_duration(language, service->max_duration);
		fputs(say(language, " at most.\n", ".\n"), stdout);
	}
}

static void print_service(enum language language, const struct policy *policy, const struct policy_service *service)
{
	output_text(stdout, service->title != NULL ? service->title : service->name);
	printf(" (%s), %s, %s%s\n", service->name, service->purpose, bases[service->legal_basis].words[language],
		say(language, ":", " :"));
	for (size_t i = 0; i < service->release_count; i++)
		print_release(language, policy, service, &service->releases[i]);
	print_terms(language, service);
}

static enum exit_code unknown_service(const struct invocation *invocation, const struct policy *policy)
{
	struct nearest nearest;

	nearest_init(&nearest, invocation->second_operand);
	for (size_t i = 0; i < policy_service_count(policy); i++)
		nearest_try(&nearest, policy_service_at(policy, i)->name);
	fprintf(stderr, "%s: no service `%s`", invocation->operand, invocation->second_operand);
	if (nearest.best != NULL)
		fprintf(stderr, "; did you mean `%s`?", nearest.best);
	putc('\n', stderr);
	return EXIT_FAILED;
}

enum exit_code policy_explain_run(const struct invocation *invocation)
{
	enum language language = language_of_locale();
	const char *asked = flag_value(invocation, "language");
	enum exit_code code = EXIT_OK;

	if (asked != NULL && language_parse(asked, &language) != 0) {
		fprintf(stderr, "needtoknow policy explain: --language: `%s` is neither en nor fr\n", asked);
		return EXIT_USAGE;
	}
	struct policy *policy = policy_file_load(invocation->operand);
	if (policy == NULL)
		return EXIT_FAILED;
	const char *name = invocation->second_operand;
	if (name != NULL && policy_service(policy, name) == NULL)
		code = unknown_service(invocation, policy);
	bool first = true;
	for (size_t i = 0; i < policy_service_count(policy) && code == EXIT_OK; i++) {
		const struct policy_service *service = policy_service_at(policy, i);
		if (name != NULL && strcmp(name, service->name) != 0)
			continue;
		if (!first)
			putchar('\n');
		first = false;
		print_service(language, policy, service);
	}
	policy_free(policy);
	return code;
}
