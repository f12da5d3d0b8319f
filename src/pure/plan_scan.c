#include "pure/plan_scan.h"

#include <stdio.h>
#include <string.h>

void plan_scan_init(struct plan_scan *scan)
{
	*scan = (struct plan_scan){ .keyed = false };
}

static void found_scan(struct plan_scan *scan, const char *what)
{
	if (scan->scan[0] == '\0')
		snprintf(scan->scan, sizeof scan->scan, "%s", what);
}

static void close_node(struct plan_scan *scan)
{
	if (scan->open[0] != '\0')
		found_scan(scan, scan->open);
	scan->open[0] = '\0';
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* "Index Scan using client_pkey on client  (cost=...": without the figures. */
static void open_node(struct plan_scan *scan, const char *node)
{
	char name[PLAN_LINE_MAX];
	snprintf(name, sizeof name, "%s", node);
	char *figures = strstr(name, "  (");
	if (figures != NULL)
		*figures = '\0';

	static const char *const by_index[] = { "Index Scan", "Index Only Scan", "Bitmap Index Scan" };
	const char *kind = starts_with(name, "Parallel ") ? name + strlen("Parallel ") : name;
	if (starts_with(kind, "Seq Scan") || starts_with(kind, "Sample Scan"))
		found_scan(scan, name);
	for (size_t i = 0; i < sizeof by_index / sizeof *by_index; i++) {
		if (starts_with(kind, by_index[i]))
			memcpy(scan->open, name, sizeof name);
	}
}

void plan_scan_line(struct plan_scan *scan, const char *line, size_t length)
{
	char text[PLAN_LINE_MAX];
	snprintf(text, sizeof text, "%.*s", length < sizeof text ? (int)length : (int)sizeof text - 1, line);
	const char *content = text + strspn(text, " ");
	bool arrow = starts_with(content, "->");

	if (starts_with(content, "Index Cond:")) {
		/* The parameters' columns, whatever they are cast to, by the names that source_select() gives them. */
		scan->keyed = scan->keyed || strstr(content, "u.key") != NULL || strstr(content, "u.subject") != NULL;
		scan->open[0] = '\0';
	} else if (arrow || strstr(content, "  (cost=") != NULL) {
		close_node(scan);
		open_node(scan, arrow ? content + 2 + strspn(content + 2, " ") : content);
	}
}

const char *plan_scan_end(struct plan_scan *scan)
{
	close_node(scan);
	if (scan->scan[0] != '\0')
		return scan->scan;
	return scan->keyed ? NULL : "no index is entered with the key";
}
