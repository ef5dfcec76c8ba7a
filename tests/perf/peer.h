/*
 * What the guest and its peer, the server's tcp-peer or another guest, agree on: the client's first byte says what is wanted, and the
 * connection's end that it is enough.
 */
#pragma once

#define PEER_ADDRESS  "10.1.0.1"
#define GUEST_ADDRESS "10.1.0.2"
#define GUEST_NETMASK "255.255.255.0"

enum {
	PEER_PORT = 5001,
	PEER_ECHO = 'e',   /* every byte comes back */
	PEER_SINK = 's',   /* takes all; one byte comes back when the client shuts down its side */
	PEER_SOURCE = 'g', /* sends until the client closes */
	PEER_CHUNK_BYTES = 128 * 1024,
};

/* Serves one connection after the other, for ever. Returns -errno, and has said why, where it can't. */
int peer_serve(void);
