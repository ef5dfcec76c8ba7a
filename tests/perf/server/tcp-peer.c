/*
 * tcp-peer: the server's side of the TCP figures.
 */
#include <stdlib.h>

#include "tests/perf/peer.h"

int main(void)
{
	peer_serve();
	return EXIT_FAILURE;
}
