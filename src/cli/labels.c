#include "cli/labels.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A name and its words; a row takes a text of every language. */
struct label {
	const char *name;
	const char *words[LANGUAGE_COUNT];
};
#define LABEL(name, english, french)                                                                                   \
	{                                                                                                              \
		name,                                                                                                  \
		{                                                                                                      \
			english, french                                                                                \
		}                                                                                                      \
	}
_Static_assert(LANGUAGE_COUNT == 2, "each label has words in each language");

/* Columns that many companies have. */
static const struct label columns[] = {
	LABEL("access_code", "access code", "code d'accès"),
	LABEL("address", "address", "adresse"),
	LABEL("alarm_code", "alarm code", "code de l'alarme"),
	LABEL("allergies", "allergies", "allergies"),
	LABEL("birth_date", "date of birth", "date de naissance"),
	LABEL("city", "town", "ville"),
	LABEL("date_of_birth", "date of birth", "date de naissance"),
	LABEL("district", "district", "quartier"),
	LABEL("door_code", "door code", "code d'entrée"),
	LABEL("email", "e-mail address", "adresse électronique"),
	LABEL("family_name", "family name", "nom de famille"),
	LABEL("first_name", "first name", "prénom"),
	LABEL("floor", "floor", "étage"),
	LABEL("full_name", "name", "nom et prénom"),
	LABEL("given_name", "first name", "prénom"),
	LABEL("home_address", "home address", "adresse du domicile"),
	LABEL("iban", "bank account number", "numéro de compte bancaire"),
	LABEL("instructions", "instructions for the visit", "consignes pour la visite"),
	LABEL("invoice_identity", "name and address on invoices", "nom et adresse de facturation"),
	LABEL("key_location", "where the key is", "emplacement de la clé"),
	LABEL("last_name", "family name", "nom de famille"),
	LABEL("mobile", "mobile phone number", "numéro de portable"),
	LABEL("name", "name", "nom"),
	LABEL("newsletter_consent", "consent to the newsletter", "accord pour la lettre d'information"),
	LABEL("notes", "notes", "remarques"),
	LABEL("parking", "parking", "stationnement"),
	LABEL("pets", "pets", "animaux domestiques"),
	LABEL("phone", "phone number", "numéro de téléphone"),
	LABEL("postal_code", "postal code", "code postal"),
	LABEL("price", "price", "prix"),
	LABEL("street", "street", "rue"),
	LABEL("tasks", "tasks to be done", "tâches à effectuer"),
};

/* Of the Data Privacy Vocabulary's terms (pure/purpose.c), those of companies that serve households. */
static const struct label purposes[] = {
	LABEL("AccountManagement", "to manage your account", "pour gérer votre compte"),
	LABEL("Advertising", "for advertising", "pour de la publicité"),
	LABEL("AgeVerification", "to verify your age", "pour vérifier votre âge"),
	LABEL("CommunicationForCustomerCare", "to answer your questions", "pour répondre à vos questions"),
	LABEL("CommunicationManagement", "to keep in touch with you", "pour communiquer avec vous"),
	LABEL("CreditChecking", "to check your solvency", "pour vérifier votre solvabilité"),
	LABEL("CustomerCare", "to answer your requests", "pour répondre à vos demandes"),
	LABEL("CustomerClaimsManagement", "to handle your complaint", "pour traiter votre réclamation"),
	LABEL("CustomerManagement", "to manage our relations with you", "pour gérer nos relations avec vous"),
	LABEL("CustomerOrderManagement", "to handle your order", "pour traiter votre commande"),
	LABEL("CustomerRelationshipManagement", "to manage our relations with you",
		"pour gérer nos relations avec vous"),
	LABEL("DeliveryOfGoods", "to bring you what you ordered", "pour vous livrer ce que vous avez commandé"),
	LABEL("DirectMarketing", "to send you advertising or a newsletter",
		"pour vous envoyer de la publicité ou une lettre d'information"),
	LABEL("DisputeManagement", "to settle a dispute", "pour régler un litige"),
	LABEL("EnforceAccessControl", "to control access", "pour contrôler l'accès"),
	LABEL("EnforceSecurity", "for security", "pour la sécurité"),
	LABEL("EstablishContractualAgreement", "to conclude a contract with you", "pour conclure un contrat avec vous"),
	LABEL("FraudPreventionAndDetection", "to prevent and detect fraud", "pour prévenir et détecter la fraude"),
	LABEL("FulfilmentOfContractualObligation", "to do what our contract with you says",
		"pour exécuter le contrat conclu avec vous"),
	LABEL("FulfilmentOfObligation", "to meet an obligation", "pour remplir une obligation"),
	LABEL("IdentityVerification", "to verify your identity", "pour vérifier votre identité"),
	LABEL("LegalCompliance", "to comply with the law", "pour respecter la loi"),
	LABEL("Marketing", "for marketing", "pour promouvoir nos services"),
	LABEL("PaymentManagement", "to handle your payments", "pour gérer vos paiements"),
	LABEL("Personalisation", "to adapt our offer to you", "pour vous proposer une offre adaptée"),
	LABEL("RecordManagement", "to keep our files", "pour tenir nos dossiers"),
	LABEL("RequestedServiceProvision", "to provide the service that you asked for",
		"pour fournir le service que vous avez demandé"),
	LABEL("RightsFulfilment", "to let you exercise your rights", "pour vous permettre d'exercer vos droits"),
	LABEL("ServiceOptimisation", "to improve our services", "pour améliorer nos services"),
	LABEL("ServiceProvision", "to provide the service that you booked",
		"pour fournir le service que vous avez réservé"),
	LABEL("TargetedAdvertising", "for advertising that is aimed at you", "pour de la publicité ciblée"),
};

static const struct label bases[] = {
	LABEL("contract", "The contract that you have with us needs it (GDPR, Article 6(1)(b)).",
		"Le contrat que vous avez conclu avec nous le rend nécessaire (RGPD, article 6, paragraphe 1, point "
		"b)."),
	LABEL("consent", "You consented, and may withdraw your consent at any time (GDPR, Articles 6(1)(a) and 7(3)).",
		"Vous y avez consenti, et pouvez retirer ce consentement à tout moment (RGPD, article 6, paragraphe 1, "
		"point a, et article 7, paragraphe 3)."),
	LABEL("legitimate-interest",
		"We have a legitimate interest in it, and you may object (GDPR, Articles 6(1)(f) and 21).",
		"Nous y avons un intérêt légitime, et vous pouvez vous y opposer (RGPD, article 6, paragraphe 1, point "
		"f, "
		"et article 21)."),
	LABEL("legal-obligation", "The law obliges us to do it (GDPR, Article 6(1)(c)).",
		"La loi nous y oblige (RGPD, article 6, paragraphe 1, point c)."),
	LABEL("vital-interest", "It protects a person's life (GDPR, Article 6(1)(d)).",
		"Il s'agit de protéger la vie d'une personne (RGPD, article 6, paragraphe 1, point d)."),
	LABEL("public-task",
		"A task in the public interest needs it, and you may object (GDPR, Articles 6(1)(e) and 21).",
		"Une mission d'intérêt public le rend nécessaire, et vous pouvez vous y opposer (RGPD, article 6, "
		"paragraphe 1, point e, et article 21)."),
};

static const char *find(const struct label *labels, size_t count, enum language language, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(labels[i].name, name) == 0)
			return labels[i].words[language];
	}
	return NULL;
}

void label_field(enum language language, const char *field, char out[LABEL_MAX])
{
	const char *dot = strchr(field, '.');
	const char *column = dot != NULL ? dot + 1 : field;
	const char *known = find(columns, sizeof columns / sizeof columns[0], language, column);

	snprintf(out, LABEL_MAX, "%s", known != NULL ? known : column);
	for (char *at = out; known == NULL && *at != '\0'; at++) {
		if (*at == '_')
			*at = ' ';
	}
}

/* `service usage analytics` of `ServiceUsageAnalytics`; abbreviations stay in capitals. */
static void split_words(const char *term, char out[LABEL_MAX])
{
	size_t used = 0;

	for (size_t i = 0; term[i] != '\0' && used + 2 < LABEL_MAX; i++) {
		bool begins = isupper((unsigned char)term[i]) && (i == 0 || !isupper((unsigned char)term[i - 1]));
		bool alone = !isupper((unsigned char)term[i + 1]);
		if (begins && i > 0)
			out[used++] = ' ';
		out[used++] = begins && alone ? (char)tolower((unsigned char)term[i]) : term[i];
	}
	out[used] = '\0';
}

void label_purpose(enum language language, const char *purpose, char out[LABEL_MAX])
{
	const char *colon = strchr(purpose, ':');
	const char *term = colon != NULL ? colon + 1 : purpose;
	const char *known = find(purposes, sizeof purposes / sizeof purposes[0], language, term);

	if (known != NULL)
		snprintf(out, LABEL_MAX, "%s", known);
	else
		split_words(term, out);
}

const char *label_basis(enum language language, const char *legal_basis)
{
	return find(bases, sizeof bases / sizeof bases[0], language, legal_basis);
}
