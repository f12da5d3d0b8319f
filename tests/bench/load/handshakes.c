#include "handshakes.h"

#include "base/memory.h"

#include <sys/resource.h>

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool connect_all(struct load *load, struct channel **channels, uint32_t count)
{
	uint32_t made = 0;

	while (made < count && (channels[made] = load_channel(load, "booking")) != NULL)
		made++;
	if (made == count)
		load_connect(load, channels, count);
	for (uint32_t i = 0; i < made; i++)
		channel_free(channels[i]);
	return load->failure[0] == '\0';
}

json_t *handshakes_run(struct load *load, uint32_t count, uint32_t at_once)
{
	struct channel **channels = mem_calloc(at_once, sizeof *channels);
	double cpu = cpu_seconds();
	int64_t began = latency_clock();
	uint32_t done = 0;

	while (done < count) {
		uint32_t batch = count - done < at_once ? count - done : at_once;
		if (!connect_all(load, channels, batch))
			break;
		done += batch;
	}
	mem_free(channels);
	if (load->failure[0] != '\0')
		return NULL;
	double seconds = (double)(latency_clock() - began) / 1e6;
	return json_pack("{s:s, s:i, s:f, s:f, s:f, s:{}}", "phase", "connect", "count", (int)count, "seconds", seconds,
		"per_second", (double)count / seconds, "cpu_seconds", cpu_seconds() - cpu, "milliseconds");
}
