#ifndef NEEDTOKNOW_CLI_LABELS_H
#define NEEDTOKNOW_CLI_LABELS_H

#include "cli/phrases.h"

/* The company's and the law's names in words that a client understands. */

/* `door code` of `client.door_code`: a word that is known, or else the column's name made readable. */
#define LABEL_MAX 200
void label_field(enum language language, const char *field, char out[LABEL_MAX]);

/* `to provide the service that you booked` of `dpv:ServiceProvision`; else the term made readable. */
void label_purpose(enum language language, const char *purpose, char out[LABEL_MAX]);

/* A sentence, with its article of the GDPR, of `contract` and the like; NULL of what the law does not know. */
const char *label_basis(enum language language, const char *legal_basis);

#endif
