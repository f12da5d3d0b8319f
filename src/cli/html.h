#ifndef NEEDTOKNOW_CLI_HTML_H
#define NEEDTOKNOW_CLI_HTML_H

#include "cli/phrases.h"

#include <google/protobuf/timestamp.pb-c.h>
#include <stdio.h>

/* A page in one language. Whatever is written with these is escaped; markup is written by whoever makes the page. */
struct page {
	FILE *file;
	enum language language;
	const struct report *report; /* whose fields it tells apart; NULL: it is about nobody's */
};

/* Text from elsewhere; control characters as output_text() shows them. */
void html_text(const struct page *page, const char *text);

/* <time>, with the moment to the second for programs, and in words for people; `-` for NULL. */
void html_time(const struct page *page, const Google__Protobuf__Timestamp *time);

/* What stands for {1}, {2} ... in a phrase. */
struct said {
	const char *text; /* or, when NULL: */
	int64_t time;
};
static inline struct said said_text(const char *text)
{
	return (struct said){ .text = text };
}
static inline struct said said_time(int64_t time)
{
	return (struct said){ .time = time };
}

/* A phrase with as many things said as it has numbers; NULL when it has none. */
void html_say(const struct page *page, enum phrase phrase, const struct said *said);
/* The same in an element: `html_element(page, "h2", PHRASE_GLANCE, NULL)`. The name may be followed by attributes. */
void html_element(const struct page *page, const char *element, enum phrase phrase, const struct said *said);

#endif
