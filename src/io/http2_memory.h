#ifndef NEEDTOKNOW_IO_HTTP2_MEMORY_H
#define NEEDTOKNOW_IO_HTTP2_MEMORY_H

#include <nghttp2/nghttp2.h>

/*
 * The memory of one nghttp2 session: wiped when it is freed (P3), and its buffer for frames in pages of its own. That
 * buffer has room for the largest frame and mostly holds a short one; on the heap it would take the place of OpenSSL's
 * freed records, whose pages have all been touched. So an idle connection costs 12 KB less.
 */
struct http2_memory {
	void *frames; /* the pages; NULL: none */
};

/* For nghttp2_session_server_new3(), which copies it; `memory`, all zero, must outlive the session. */
nghttp2_mem http2_memory_allocator(struct http2_memory *memory);

#endif
