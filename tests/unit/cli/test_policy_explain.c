/* `needtoknow policy explain`: the example policy in words, and every kind of moment and term. */
#include "example_policy.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ran ran;

static void test_the_example_in_english(void **state)
{
	(void)state;
	run(&ran, "policy", "explain", EXAMPLE_POLICY, "home-cleaning", "--language", "en", NULL);
	assert_string_equal(ran.err, "");
	assert_int_equal(ran.code, EXIT_OK);
	assert_string_equal(ran.out,
		"Ménage à domicile (home-cleaning), dpv:ServiceProvision, because the contract needs it "
		"(GDPR, Article 6(1)(b)):\n"
		"- From the booking on until 2 hours after the end, the provider gets, of the client: district; "
		"of the booking: tasks to be done.\n"
		"- From 24 hours before the start until 2 hours after the end, the provider gets, of the client: "
		"first name, home address; of the booking: instructions for the visit.\n"
		"- From 1 hour before the start until 2 hours after the end, the provider gets, of the client: door "
		"code. This is sensitive: it is masked, and not sent again outside that time.\n"
		"- It must be deleted within 24 hours of the end.\n"
		"- It may last 30 days at most.\n");
}

static void test_the_example_in_french(void **state)
{
	(void)state;
	setenv("LC_ALL", "fr_FR.UTF-8", 1);
	run(&ran, "policy", "explain", EXAMPLE_POLICY, NULL);
	unsetenv("LC_ALL");
	assert_int_equal(ran.code, EXIT_OK);
	HAS(ran.out,
		"- Dès la réservation jusqu'à 2 heures après la fin, le prestataire reçoit, du client : quartier ; de "
		"la "
		"réservation : tâches à effectuer.\n");
	HAS(ran.out,
		"- Rien n'est envoyé si ceci n'est pas vrai : accord pour la lettre d'information "
		"(client.newsletter_consent).\n");
	HAS(ran.out, "le collaborateur reçoit, du client : prénom, numéro de téléphone.\n");
	HAS(ran.out, "- Aucune réservation n'est nécessaire.\n");
}

/* The example with its first `piece` replaced. */
static void explain_changed(const char *piece, const char *replacement, const char *language)
{
	char path[] = "/tmp/needtoknow-policy-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	example_policy_write_changed(path, piece, replacement);
	run(&ran, "policy", "explain", path, "home-cleaning", "--language", language, NULL);
	unlink(path);
	assert_string_equal(ran.err, "");
}

static void test_every_moment_has_words(void **state)
{
	static const struct {
		const char *due, *english, *french;
	} cases[] = {
		{ "at: booked+2d", "- From 48 hours after the booking on until", "- À partir de 48 heures après la réservation jusqu'à" },
		{ "at: start", "- From the start until", "- À partir du début jusqu'à" },
		{ "at: start+5m", "- From 5 minutes after the start until", "- À partir de 5 minutes après le début jusqu'à" },
		{ "at: end-1h", "- From 1 hour before the end until", "- À partir de 1 heure avant la fin jusqu'à" },
		{ "at: end", "- From the end until", "- À partir de la fin jusqu'à" },
		{ "at: end+1h", "- From 1 hour after the end until", "- À partir de 1 heure après la fin jusqu'à" },
	}, ends[] = {
		{ "expires: start", "until the start,", "jusqu'au début," },
		{ "expires: start+30d", "until 30 days after the start,", "jusqu'à 30 jours après le début," },
		{ "expires: end", "until the end,", "jusqu'à la fin," },
		{ "expires: booked+30d", "until 30 days after the booking,", "jusqu'à 30 jours après la réservation," },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		explain_changed("at: booked", cases[i].due, "en");
		HAS(ran.out, cases[i].english);
		explain_changed("at: booked", cases[i].due, "fr");
		HAS(ran.out, cases[i].french);
	}
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		explain_changed("expires: end+2h", ends[i].due, "en");
		HAS(ran.out, ends[i].english);
		explain_changed("expires: end+2h", ends[i].due, "fr");
		HAS(ran.out, ends[i].french);
	}
}

static void test_every_basis_names_its_article(void **state)
{
	static const char *const bases[][2] = { { "consent", "6(1)(a)" }, { "contract", "6(1)(b)" },
		{ "legal-obligation", "6(1)(c)" }, { "vital-interest", "6(1)(d)" }, { "public-task", "6(1)(e)" },
		{ "legitimate-interest", "6(1)(f)" } };
	(void)state;
	for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
		char line[96];
		snprintf(line, sizeof line, "legal_basis: %s%s", bases[i][0],
			i == 0 ? "\n    requires: client.newsletter_consent" : "");
		explain_changed("legal_basis: contract", line, "en");
		HAS(ran.out, bases[i][1]);
	}
}

static void test_a_wrong_name_is_told(void **state)
{
	(void)state;
	run(&ran, "policy", "explain", EXAMPLE_POLICY, "home-clening", NULL);
	assert_int_equal(ran.code, EXIT_FAILED);
	HAS(ran.err, "no service `home-clening`; did you mean `home-cleaning`?");
	run(&ran, "policy", "explain", EXAMPLE_POLICY, "--language", "de", NULL);
	assert_int_equal(ran.code, EXIT_USAGE);
	HAS(ran.err, "`de` is neither en nor fr");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_example_in_english),
		cmocka_unit_test(test_the_example_in_french),
		cmocka_unit_test(test_every_moment_has_words),
		cmocka_unit_test(test_every_basis_names_its_article),
		cmocka_unit_test(test_a_wrong_name_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
