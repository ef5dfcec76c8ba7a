/*
 * Anything from a VM's control socket, in pieces of any size, between requests of ours. What must hold: each
 * request gets exactly one answer, a result or a problem, and a lost connection is told once.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/api_client.h"
#include "tests/support/fuzz_script.h"

struct bench {
	struct loop loop;
	struct timers timers;
	struct api_client client;
	int far;
	unsigned nr_asked, nr_answered, nr_lost;
};

static void on_event(void *context UNUSED, const char *name, const json_t *data)
{
	fuzz_claim(name && json_is_object(data));
}

static void on_lost(void *context, const char *reason)
{
	struct bench *bench = context;

	fuzz_claim(reason && !api_client_is_connected(&bench->client));
	bench->nr_lost++;
}

static void on_answer(void *context, const json_t *result, const char *problem)
{
	struct bench *bench = context;

	fuzz_claim(result ? json_is_object(result) : problem != NULL);
	bench->nr_answered++;
}

static void bench_start(struct bench *bench)
{
	static const struct api_client_ops ops = { on_event, on_lost };
	int ends[2];

	*bench = (struct bench){ 0 };
	if (loop_create(&bench->loop) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
		abort();
	bench->far = ends[1];
	api_client_init(&bench->client, &bench->loop, &bench->timers, &ops, bench);
	if (api_client_attach(&bench->client, ends[0]))
		abort();
}

static void ask(struct bench *bench)
{
	bench->nr_asked++;
	api_client_request(&bench->client, "stats", on_answer, bench);
}

static void far_says(struct bench *bench, const uint8_t *bytes, size_t n)
{
	if (send(bench->far, bytes, n, MSG_NOSIGNAL) < 0)
		return; /* the client has left */
	if (loop_turn(&bench->loop, 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct bench bench;

	bench_start(&bench);
	ask(&bench);
	while (n) {
		size_t piece = bytes[0] & 0x80 ? 1 : min_u64(n, 1 + bytes[0] % 64u * 4);

		if (bytes[0] % 8 == 7)
			ask(&bench);
		far_says(&bench, bytes, piece);
		bytes += piece;
		n -= piece;
	}
	api_client_close(&bench.client, "the end");
	fuzz_claim(bench.nr_asked == bench.nr_answered);
	fuzz_claim(bench.nr_lost <= 1);
	close(bench.far);
	loop_destroy(&bench.loop);
	return 0;
}
