#ifndef NEEDTOKNOW_CLI_ENTRY_PRINT_H
#define NEEDTOKNOW_CLI_ENTRY_PRINT_H

#include "cli/csv.h"
#include "cli/format.h"

#include <needtoknow/v1/audit.pb-c.h>

/* Entries of the ledger on standard output, as they come. */
struct entry_printer {
	enum format format;
	struct table *table; /* of FORMAT_TEXT */
	struct csv csv; /* of FORMAT_CSV */
};

void entry_printer_init(struct entry_printer *printer, enum format format);
void entry_printer_release(struct entry_printer *printer);

/* 0, or -1: standard output is gone. What was printed has been flushed. */
int entry_print(struct entry_printer *printer, Needtoknow__V1__Entry *const *entries, size_t count);

#endif
