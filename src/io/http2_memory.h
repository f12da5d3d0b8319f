#ifndef NEEDTOKNOW_IO_HTTP2_MEMORY_H
#define NEEDTOKNOW_IO_HTTP2_MEMORY_H

#include <nghttp2/nghttp2.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The memory of one nghttp2 session: wiped when it is freed (P3). What is as old as the session lies in pages of its
 * own, so that an idle connection touches one of them: the session and what else is large come first, then the buffer
 * for frames, which has room for the largest and mostly holds a short one. On the heap that buffer would take the place
 * of OpenSSL's freed records, whose pages have all been touched: 12 KB a connection more; and in pages of its own 4 KB
 * more than so.
 */
struct http2_memory {
	uint8_t *pages; /* NULL: none */
	size_t used; /* bytes of them */
};

/* For nghttp2_session_server_new3(), which copies it; `memory`, all zero, must outlive the session. */
nghttp2_mem http2_memory_allocator(struct http2_memory *memory);

/* When the session is gone. */
void http2_memory_release(struct http2_memory *memory);

#endif
