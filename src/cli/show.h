#ifndef NEEDTOKNOW_CLI_SHOW_H
#define NEEDTOKNOW_CLI_SHOW_H

#include <needtoknow/v1/common.pb-c.h>
#include <stddef.h>

/* The contract's messages for people, on standard output. */

void show_disclosure(const Needtoknow__V1__Disclosure *disclosure);
void show_releases(Needtoknow__V1__Release *const *releases, size_t count);
/* NULL: nothing. */
void show_receipt(const Needtoknow__V1__Receipt *receipt);

#endif
