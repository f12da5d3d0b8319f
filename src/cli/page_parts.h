#ifndef NEEDTOKNOW_CLI_PAGE_PARTS_H
#define NEEDTOKNOW_CLI_PAGE_PARTS_H

#include "cli/html.h"

#include <stddef.h>

/* What every page for a client is made of: one file that loads nothing, to print or to send. */

/* Up to the title, which is its first heading; page_end() ends it. */
void page_begin(const struct page *page, enum phrase title);
void page_end(const struct page *page);

/* A name and its text, in a <dl>. */
void page_fact(const struct page *page, enum phrase name, const char *value);
/* The headings of a table's columns. */
void page_headings(const struct page *page, const enum phrase *headings, size_t count);

#endif
