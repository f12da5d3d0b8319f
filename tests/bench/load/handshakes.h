#ifndef NEEDTOKNOW_BENCH_HANDSHAKES_H
#define NEEDTOKNOW_BENCH_HANDSHAKES_H

#include "load.h"

#include <jansson.h>

/*
 * Connections one after another, some at a time: full handshakes with client certificates, nothing resumed. Each counts
 * when a health check was answered over it, and is closed then. NULL after load_fail(); else the report, the caller's.
 */
json_t *handshakes_run(struct load *load, uint32_t count, uint32_t at_once);

#endif
