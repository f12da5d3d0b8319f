#ifndef NEEDTOKNOW_PURE_PURPOSE_H
#define NEEDTOKNOW_PURE_PURPOSE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The purposes of the W3C Data Privacy Vocabulary 2.2 (https://w3id.org/dpv), written `dpv:ServiceProvision`. Its most
 * general term, `dpv:Purpose`, says nothing about why, so it is not among them (GDPR art. 5(1)(b): specified,
 * explicit).
 */
bool purpose_known(const char *purpose);
/* The nearest known purpose, with its prefix, or NULL. */
const char *purpose_nearest(const char *purpose);

/* Addressed to one person: an objection to it is absolute, whatever its legal basis (GDPR art. 21(2), (3)). */
bool purpose_is_direct_marketing(const char *purpose);
/* All of them, from 0 on; NULL behind the last. */
const char *purpose_direct_marketing(size_t number);

#endif
