#ifndef NEEDTOKNOW_CLI_PHRASES_H
#define NEEDTOKNOW_CLI_PHRASES_H

#include <stdint.h>

/*
 * What pages for clients say, in each language. A phrase is one line of the table below and takes a text of every
 * language, so that none can be left out. {1} to {9} stand for what is said of this client. In French the space before
 * a colon, a semicolon and the like is written as a plain one here, and never broken on the page.
 */
enum language {
	LANGUAGE_ENGLISH,
	LANGUAGE_FRENCH,
	LANGUAGE_COUNT
};

#define PHRASES(X)                                                                                                             \
	X(LANGUAGE_CODE, "en", "fr")                                                                                           \
	X(TITLE, "Who was given your personal data", "À qui vos données personnelles ont été transmises")                      \
	X(INTRODUCTION,                                                                                                        \
		"{1} made this document for you on {2}. It says to whom we gave personal data of yours: which, when, "         \
		"why, and until when.",                                                                                        \
		"{1} a établi ce document pour vous le {2}. Il indique à qui nous avons transmis des données "              \
		"personnelles vous concernant : lesquelles, quand, pourquoi et jusqu'à quand.")                                \
	X(INTRODUCTION_LAW,                                                                                                    \
		"You have a right to know this (GDPR, Article 15). The document names kinds of data, such as “door "         \
		"code”, and never what they say. For a copy of the data themselves, write to us.",                             \
		"Vous avez le droit de le savoir (RGPD, article 15). Ce document nomme des catégories de données, "          \
		"par exemple « code d'entrée », jamais leur contenu. Pour obtenir une copie des données "                  \
		"elles-mêmes, écrivez-nous.")                                                                                  \
	X(CLIENT_NUMBER, "Your client number", "Votre numéro de client")                                                       \
	X(CONTROLLER, "Responsible for your data", "Responsable de vos données")                                               \
	X(OFFICER, "Data protection officer", "Délégué à la protection des données")                                           \
	X(TIMES, "Times are local times ({1}).", "Les heures sont des heures locales ({1}).")                                  \
	X(OUR_STAFF, "Our own staff", "Notre propre personnel")                                                                \
	X(AND_SERVICE, "{1}: {2}", "{1} : {2}")                                                                                \
	X(NOTHING, "We have given no personal data of yours to anyone.",                                                       \
		"Nous n'avons transmis à personne des données personnelles vous concernant.")                                  \
                                                                                                                               \
	X(GLANCE, "At a glance: who has what, until when", "En un coup d'œil : qui détient quoi, jusqu'à quand")               \
	X(GLANCE_CAPTION, "Each kind of data, and who has it on {1}", "Chaque donnée, et qui la détient au {1}")               \
	X(COLUMN_DATA, "Data", "Donnée")                                                                                       \
	X(COLUMN_WHO, "Given to, for", "Transmise à, pour")                                                                    \
	X(COLUMN_TODAY, "Has it now?", "La détient ?")                                                                         \
	X(COLUMN_UNTIL, "Until when", "Jusqu'à quand")                                                                         \
	X(TODAY_HELD, "Yes", "Oui")                                                                                            \
	X(TODAY_RESTRICTED, "Yes, but blocked", "Oui, mais bloquée")                                                           \
	X(TODAY_TO_DELETE, "Deletion not confirmed", "Suppression non confirmée")                                              \
	X(TODAY_RETAINED, "Yes, by law", "Oui, selon la loi")                                                                  \
	X(TODAY_NOT_YET, "Not yet", "Pas encore")                                                                              \
	X(TODAY_AGAIN, "Then again", "Puis de nouveau")                                                                        \
	X(TODAY_DELETED, "No, deleted", "Non, supprimée")                                                                      \
	X(TODAY_NEVER, "No, never sent", "Non, jamais transmise")                                                              \
	X(UNTIL_HELD, "May use it until {1}, and must then delete it.",                                                        \
		"Peut l'utiliser jusqu'au {1}, puis doit la supprimer.")                                                       \
	X(UNTIL_RESTRICTED, "Keeps it without using it, as you asked us to restrict its use.",                                 \
		"La conserve sans l'utiliser : vous avez demandé la limitation du traitement.")                                \
	X(UNTIL_UNCONFIRMED, "May no longer use it. Must delete it by {1}; has not confirmed that yet.",                       \
		"Ne peut plus l'utiliser. Doit la supprimer au plus tard le {1} ; ne l'a pas encore confirmé.")                \
	X(UNTIL_OVERDUE, "May no longer use it. Had to delete it by {1}, and has not confirmed that it did.",                  \
		"Ne peut plus l'utiliser. Devait la supprimer au plus tard le {1}, et ne l'a pas confirmé.")                   \
	X(UNTIL_ENDED, "May no longer use it since {1}. Deletion has not been confirmed yet.",                                 \
		"Ne peut plus l'utiliser depuis le {1}. La suppression n'est pas encore confirmée.")                           \
	X(UNTIL_RETAINED, "May no longer use it, but says that it must keep it until {1}, because of: {2}",                    \
		"Ne peut plus l'utiliser, mais déclare devoir la conserver jusqu'au {1}, au titre de : {2}")                   \
	X(UNTIL_RETAINED_ALWAYS, "May no longer use it, but says that it must keep it, because of: {2}",                       \
		"Ne peut plus l'utiliser, mais déclare devoir la conserver, au titre de : {2}")                                \
	X(UNTIL_PLANNED, "Will be sent it on {1}, not before.", "Ne la recevra que le {1}, pas avant.")                        \
	X(UNTIL_DUE, "Was to be sent it from {1} on; has not received it yet.",                                                \
		"Devait la recevoir à partir du {1} ; ne l'a pas encore reçue.")                                               \
	X(UNTIL_AGAIN, "Will be sent it again on {1}, not before.", "La recevra de nouveau le {1}, pas avant.")                \
	X(UNTIL_DELETED, "Confirmed on {1} that it deleted it.", "A confirmé l'avoir supprimée le {1}.")                       \
	X(UNTIL_NEVER, "It was foreseen, and ended before anything was sent.",                                                 \
		"C'était prévu, et a pris fin avant tout envoi.")                                                              \
                                                                                                                               \
	X(DETAIL, "In detail: what was sent, when and why", "En détail : ce qui a été transmis, quand et pourquoi")            \
	X(SERVICE, "Service", "Prestation")                                                                                    \
	X(PURPOSE, "Why", "Pourquoi")                                                                                          \
	X(BASIS, "What allows it", "Ce qui le permet")                                                                         \
	X(COLUMN_PERIOD, "Period", "Période")                                                                                  \
	X(COLUMN_SENT, "Sent", "Transmis")                                                                                     \
	X(COLUMN_NOW, "Now", "Situation actuelle")                                                                             \
	X(PERIOD, "from {1} to {2}", "du {1} au {2}")                                                                          \
	X(PERMITTED, "allowed by us on {1}", "autorisé par nous le {1}")                                                       \
	X(SENT_RECEIVED, "{1}, receipt confirmed", "{1}, réception confirmée")                                                 \
	X(SENT_ONLY, "{1}, receipt not confirmed", "{1}, réception non confirmée")                                             \
	X(SENT_NOTHING, "nothing", "rien")                                                                                     \
	X(ENDED_EXPIRED, "Over, as planned.", "Terminé, comme prévu.")                                                         \
	X(ENDED_REVOKED, "Stopped: it was cancelled, or given to someone else.",                                               \
		"Arrêté : annulé, ou confié à quelqu'un d'autre.")                                                             \
	X(ENDED_OBJECTED, "Stopped: you objected, or withdrew your consent.",                                                  \
		"Arrêté à votre demande : opposition, ou retrait de votre consentement.")                                      \
	X(ENDED_RESTRICTED, "Blocked: you asked us to restrict the use of your data.",                                         \
		"Bloqué : vous avez demandé la limitation du traitement de vos données.")                                      \
	X(ENDED_SUSPENDED, "Stopped: we no longer let this provider work for us.",                                             \
		"Arrêté : nous avons suspendu ce prestataire.")                                                                \
	X(ENDED_ERASED, "Stopped: you asked for your data to be erased.",                                                      \
		"Arrêté : vous avez demandé l'effacement de vos données.")                                                     \
                                                                                                                               \
	X(KEPT, "What is deleted, and what is kept", "Ce qui est supprimé, et ce qui est conservé")                            \
	X(KEPT_RULE,                                                                                                           \
		"Whoever is given data of yours must stop using them when the period is over, delete them, and "               \
		"confirm to us that this was done.",                                                                           \
		"Quiconque reçoit des données vous concernant doit cesser de les utiliser à la fin de la période, "        \
		"les supprimer, et nous confirmer que c'est fait.")                                                            \
	X(KEPT_NOTHING, "Nobody has told us that a law makes them keep any of it longer.",                                     \
		"Personne ne nous a déclaré qu'une loi l'oblige à en conserver plus longtemps.")                               \
	X(KEPT_CAPTION, "What is kept longer, and on which ground",                                                            \
		"Ce qui est conservé plus longtemps, et à quel titre")                                                         \
	X(KEPT_BY, "Kept by", "Conservé par")                                                                                  \
	X(KEPT_GROUND, "Ground", "À quel titre")                                                                               \
	X(KEPT_BACKUPS,                                                                                                        \
		"The record behind this document names you by a number drawn at random. Once the link between that "           \
		"number and you is destroyed, nobody can tell any more that these lines are about you; a copy of the "         \
		"link can survive in our backups for {1} at most.",                                                            \
		"Le registre dont est tiré ce document vous désigne par un numéro tiré au hasard. Une fois détruit "      \
		"le lien entre ce numéro et vous, plus personne ne peut savoir que ces lignes vous concernent ; une "         \
		"copie de ce lien peut subsister dans nos sauvegardes pendant {1} au plus.")                                   \
                                                                                                                               \
	X(ASKED, "What you have asked of us", "Ce que vous nous avez demandé")                                                 \
	X(ASKED_ERASURE, "Erasure of your data (GDPR, Article 17), on {1}",                                                    \
		"L'effacement de vos données (RGPD, article 17), le {1}")                                                      \
	X(ASKED_RESTRICTION, "Restriction of their use (GDPR, Article 18), on {1}",                                            \
		"La limitation de leur traitement (RGPD, article 18), le {1}")                                                 \
	X(ASKED_OBJECTION, "You object to their use {2} (GDPR, Article 21), since {1}",                                        \
		"Vous vous opposez à leur utilisation {2} (RGPD, article 21), depuis le {1}")                                  \
	X(ASKED_OBJECTION_ALL, "You object to every use that may be objected to (GDPR, Article 21), since {1}",                \
		"Vous vous opposez à toute utilisation à laquelle il est possible de s'opposer (RGPD, article 21), "         \
		"depuis le {1}")                                                                                               \
	X(ASKED_CONSENT, "You have withdrawn your consent to their use {2} (GDPR, Article 7(3)), since {1}",                   \
		"Vous avez retiré votre consentement à leur utilisation {2} (RGPD, article 7, paragraphe 3), depuis "        \
		"le {1}")                                                                                                      \
	X(ASKED_CONSENT_ALL, "You have withdrawn your consent (GDPR, Article 7(3)), since {1}",                                \
		"Vous avez retiré votre consentement (RGPD, article 7, paragraphe 3), depuis le {1}")                          \
                                                                                                                               \
	X(RIGHTS, "Your rights", "Vos droits")                                                                                 \
	X(RIGHTS_INTRODUCTION, "The General Data Protection Regulation (GDPR) gives you the right:",                           \
		"Le règlement général sur la protection des données (RGPD) vous donne le droit :")                             \
	X(RIGHTS_WRITE,                                                                                                        \
		"Write to {1}, or to our data protection officer: {2}. It costs nothing, and you get an answer "               \
		"within one month (GDPR, Article 12).",                                                                        \
		"Écrivez à {1}, ou à notre délégué à la protection des données : {2}. C'est gratuit, et vous "         \
		"recevrez une réponse dans un délai d'un mois (RGPD, article 12).")                                            \
	X(RIGHT_ACCESS, "to get a copy of your data (Article 15)", "d'obtenir une copie de vos données (article 15)")          \
	X(RIGHT_RECTIFICATION, "to have wrong data corrected; those who were given them are told (Articles 16, 19)",           \
		"de faire rectifier des données inexactes ; ceux qui les ont reçues en sont informés (articles 16 "         \
		"et 19)")                                                                                                      \
	X(RIGHT_ERASURE, "to have your data erased, unless a law makes us keep them (Article 17)",                             \
		"de faire effacer vos données, sauf si une loi nous oblige à les conserver (article 17)")                      \
	X(RIGHT_RESTRICTION, "to have their use blocked, for instance while a question is settled (Article 18)",               \
		"d'en faire bloquer l'utilisation, par exemple le temps de régler une question (article 18)")                  \
	X(RIGHT_PORTABILITY, "to take the data that you gave us to someone else, in a usual file format (Article 20)",         \
		"de récupérer les données que vous nous avez fournies, dans un format courant, pour les confier à "        \
		"d'autres (article 20)")                                                                                       \
	X(RIGHT_OBJECTION,                                                                                                     \
		"to object to a use that rests on a legitimate interest or a public task, and, without giving a "              \
		"reason, to advertising (Article 21)",                                                                         \
		"de vous opposer à une utilisation fondée sur un intérêt légitime ou une mission d'intérêt public "     \
		"et, "                                                                                                         \
		"sans motif, à la publicité (article 21)")                                                                     \
	X(RIGHT_CONSENT, "to withdraw a consent at any time (Article 7(3))",                                                   \
		"de retirer à tout moment un consentement (article 7, paragraphe 3)")                                          \
	X(RIGHT_COMPLAINT,                                                                                                     \
		"You may also complain to a data protection authority (Article 77); in France: CNIL, 3 place de "              \
		"Fontenoy, TSA 80715, 75334 Paris Cedex 07.",                                                                  \
		"Vous pouvez aussi adresser une réclamation à une autorité de protection des données (article 77) ; "      \
		"en France : CNIL, 3 place de Fontenoy, TSA 80715, 75334 Paris Cedex 07.")                                     \
                                                                                                                               \
	X(CHECK, "How to check this", "Comment vérifier ce document")                                                          \
	X(CHECK_WHY,                                                                                                           \
		"You need not take our word for it. Whatever is sent is first written down as a numbered line of a "           \
		"record in which no line can be changed or removed without it showing. Ask us for the proof of any "           \
		"line of this table: two small files, “entry” and “proof”. Whoever you trust with computers can then " \
		"verify them without us.",                                                                                     \
		"Vous n'avez pas à nous croire sur parole. Tout envoi est d'abord inscrit, sous un numéro, dans un "         \
		"registre dont aucune ligne ne peut être modifiée ou retirée sans que cela se voie. Demandez-nous la "      \
		"preuve de n'importe quelle ligne de ce tableau : deux petits fichiers, « entry » et « proof ». Une "      \
		"personne de confiance, à l'aise en informatique, peut alors les vérifier sans nous.")                         \
	X(CHECK_CAPTION, "Lines of the record that are about you", "Lignes du registre qui vous concernent")                   \
	X(COLUMN_LINE, "Line", "Ligne")                                                                                        \
	X(COLUMN_WHEN, "When", "Quand")                                                                                        \
	X(COLUMN_WHAT, "What", "Quoi")                                                                                         \
	X(COLUMN_RECIPIENT, "Who", "Qui")                                                                                      \
	X(LINE_PERMITTED, "Our permission to send it", "Notre autorisation de transmettre")                                    \
	X(LINE_SENT, "Sent:", "Transmis :")                                                                                    \
	X(LINE_DELETION, "Our order to delete it", "Notre ordre de suppression")                                               \
	X(CHECK_PSEUDONYM, "In these lines you appear under this number, drawn at random:",                                    \
		"Dans ces lignes, vous apparaissez sous ce numéro, tiré au hasard :")                                          \
	X(CHECK_KEY,                                                                                                           \
		"Our public key, with which the record is signed; our data protection officer confirms it to you:",            \
		"Notre clé publique, avec laquelle le registre est signé ; notre délégué à la protection des données "  \
		"vous la confirme :")                                                                                          \
	X(CHECK_NO_KEY, "You also need our public key; ask us for it, and write it in place of KEY below.",                    \
		"Il faut aussi notre clé publique : demandez-la-nous, et écrivez-la ci-dessous à la place de CLE.")            \
	X(CHECK_KEY_NAME, "KEY", "CLE")                                                                                        \
	X(CHECK_COMMAND, "The command, here for line {1}, with the free program needtoknow:",                                  \
		"La commande, ici pour la ligne {1}, avec le logiciel libre needtoknow :")                                     \
                                                                                                                               \
	X(RECORD_TITLE, "The personal data that we have about you",                                                            \
		"Les données personnelles que nous détenons sur vous")                                                         \
	X(RECORD_INTRODUCTION,                                                                                                 \
		"This document was made for you on {1}. It says what we have about you, word for word: from where, "           \
		"until when, and who was given it.",                                                                           \
		"Ce document a été établi pour vous le {1}. Il indique, mot pour mot, ce que nous détenons sur vous "      \
		": d'où cela vient, jusqu'à quand, et à qui cela a été transmis.")                                             \
	X(RECORD_LAW,                                                                                                          \
		"You have a right to this copy, free of charge (GDPR, Article 15), and to the same in a file that "            \
		"programs can read, to take to someone else (Article 20). It holds personal data: keep it where "              \
		"nobody else reads it.",                                                                                       \
		"Vous avez droit à cette copie, sans frais (RGPD, article 15), et à la même sous forme de fichier "         \
		"lisible par un logiciel, pour la confier à d'autres (article 20). Elle contient des données "               \
		"personnelles : gardez-la à l'abri des regards.")                                                              \
	X(RECORD_DATA, "Your data", "Vos données")                                                                             \
	X(RECORD_NOTHING, "We have no data about you.", "Nous ne détenons aucune donnée sur vous.")                            \
	X(RECORD_CAPTION, "What we have about you on {1}", "Ce que nous détenons sur vous au {1}")                             \
	X(RECORD_VALUE, "What it says", "Contenu")                                                                             \
	X(RECORD_ORIGIN, "From where", "Origine")                                                                              \
	X(RECORD_KEPT, "Kept until", "Conservée jusqu'à")                                                                      \
	X(RECORD_NO_VALUE, "nothing", "rien")                                                                                  \
	X(RECORD_DIRECT, "noted by our staff on {1}", "notée par notre personnel le {1}")                                      \
	X(RECORD_WEBSITE, "given by you on our website on {1}", "indiquée par vous sur notre site le {1}")                     \
	X(RECORD_UNKNOWN_ORIGIN, "not recorded", "non enregistrée")                                                            \
	X(RECORD_UNTIL, "{1}", "{1}")                                                                                          \
	X(RECORD_CONTRACT, "the end of our contract", "la fin de notre contrat")                                               \
	X(RECORD_HELD, "Blocked: erased for every other use.", "Bloquée : effacée pour tout autre usage.")                     \
	X(TOLD, "Who was told of what you asked", "Qui a été informé de ce que vous avez demandé")                             \
	X(TOLD_LAW,                                                                                                            \
		"Of a correction, an erasure or a restriction we tell everyone who was given the data (GDPR, Article "         \
		"19).",                                                                                                        \
		"Nous informons d'une rectification, d'un effacement ou d'une limitation tous ceux qui ont reçu les "         \
		"données (RGPD, article 19).")                                                                                 \
	X(TOLD_CAPTION, "Who was told what, when, and what they answered",                                                     \
		"Qui a été informé de quoi, quand, et sa réponse")                                                             \
	X(TOLD_WHAT, "Told", "Informé")                                                                                        \
	X(TOLD_ANSWER, "Answer", "Réponse")                                                                                    \
	X(TOLD_CORRECTION, "the corrected data", "de la donnée rectifiée")                                                     \
	X(TOLD_DELETION, "to delete the data", "de l'obligation de supprimer")                                                 \
	X(TOLD_RESTRICTION, "to keep the data without using them", "de conserver sans utiliser")                               \
	X(TOLD_LIFTED, "that the data may be used again", "de la fin de la limitation")                                        \
	X(TOLD_NOT_YET, "not yet reached", "pas encore joint")                                                                 \
	X(ANSWER_NONE, "none yet", "pas encore")                                                                               \
	X(ANSWER_ACKNOWLEDGED, "received, on {1}", "reçu, le {1}")                                                             \
	X(ANSWER_DELETED, "deleted, on {1}", "supprimé, le {1}")                                                               \
	X(ANSWER_RETAINED, "keeps them until {1}, because of: {2}", "conserve jusqu'au {1}, au titre de : {2}")                \
	X(NOTICE, "The information that we owe you", "L'information que nous vous devons")                                     \
	X(NOTICE_WHERE, "Version {1}, in force since {2}, can be read here: {3}",                                              \
		"La version {1}, en vigueur depuis le {2}, peut être lue ici : {3}")

#define PHRASE_NAME(name, english, french) PHRASE_##name,
enum phrase {
	PHRASES(PHRASE_NAME) PHRASE_COUNT
};
#undef PHRASE_NAME

const char *phrase_text(enum language language, enum phrase phrase);

/* `en` or `fr`. 0, or -1: not one of them. */
int language_parse(const char *text, enum language *out);
/* English where LC_ALL, or else LC_MESSAGES, or else LANG says so; otherwise French. */
enum language language_of_locale(void);

/* `23 November 2026 at 14:05`, as the clocks on the wall show it (TZ). */
#define PHRASE_TIME_MAX 64
void phrase_time(enum language language, int64_t time, char out[PHRASE_TIME_MAX]);
/* Which clocks: `Europe/Paris` where TZ names it so, or else `CET` and the like. */
void phrase_zone(int64_t time, char out[PHRASE_TIME_MAX]);
/* `35 days` of `35d`; what is no duration stays as it is. */
void phrase_duration(enum language language, const char *duration, char out[PHRASE_TIME_MAX]);

#endif
