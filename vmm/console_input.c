/*
 * A console's way in: see console_input.h.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vmm/console_input.h"

enum { CTRL_A = 0x01 };

/* ---- waiting for room ---- */

/* The device's room, or 0 and the promise that console_input_room_changed() will wake us. */
static size_t room_or_wait(struct console_input *input)
{
	size_t room = input->ops->room(input->context);

	if (room)
		return room;

	/* It may have grown just before anyone could know that we wait: look once more. */
	atomic_store(&input->is_waiting, true);
	room = input->ops->room(input->context);
	if (room)
		atomic_store(&input->is_waiting, false);
	return room;
}

void console_input_room_changed(struct console_input *input)
{
	if (atomic_load(&input->is_waiting) && atomic_exchange(&input->is_waiting, false))
		wakeup_raise(&input->wakeup);
}

/* ---- reading ---- */

static void end_input(struct console_input *input)
{
	console_input_detach(input);
	input->ops->event(input->context, CONSOLE_INPUT_ENDED);
}

/* How many bytes came; 0 also where none did, or where the input is over. */
static size_t read_some(struct console_input *input, uint8_t *bytes, size_t n)
{
	ssize_t got = read(input->source.fd, bytes, n);

	if (got > 0)
		return (size_t)got;
	if (!got || (errno != EAGAIN && errno != EINTR))
		end_input(input);
	return 0;
}

/* A source that isn't read still reports, once, that its other end has hung up. */
static void set_read(struct console_input *input, bool is_read)
{
	if (input->is_pollable && input->is_read != is_read &&
	    !loop_modify(input->loop, &input->source, is_read ? EPOLLIN : EPOLLET))
		input->is_read = is_read;
}

/* Reads no more than the device takes, and leaves the rest to its writer. */
static void pass_on(struct console_input *input)
{
	size_t room = room_or_wait(input);
	uint8_t bytes[256];
	size_t n;

	set_read(input, room != 0);
	if (!room)
		return;
	n = read_some(input, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
	if (n)
		input->ops->input(input->context, bytes, n);
	if (!input->is_pollable && input->source.fd >= 0)
		wakeup_raise(&input->wakeup); /* after everyone else had a turn */
}

/* ---- a terminal ---- */

static void hold(struct console_input *input, uint8_t key)
{
	if (input->nr_held < sizeof(input->held))
		input->held[input->nr_held++] = key;
}

static void key_after_escape(struct console_input *input, uint8_t key)
{
	switch (key) {
	case 'x':
		input->ops->event(input->context, CONSOLE_INPUT_QUIT);
		break;
	case 'h':
		input->ops->event(input->context, CONSOLE_INPUT_HELP);
		break;
	case 'a':
	case CTRL_A:
		hold(input, CTRL_A);
		break;
	default:
		break; /* a slip: better lost than typed into the guest */
	}
}

static void key_pressed(struct console_input *input, uint8_t key)
{
	if (input->is_after_escape) {
		input->is_after_escape = false;
		key_after_escape(input, key);
	} else if (key == CTRL_A) {
		input->is_after_escape = true;
	} else {
		hold(input, key);
	}
}

static void deliver_held(struct console_input *input)
{
	size_t room, n;

	while (input->nr_held && (room = room_or_wait(input))) {
		n = room < input->nr_held ? room : input->nr_held;
		input->ops->input(input->context, input->held, n);
		input->nr_held -= n;
		memmove(input->held, input->held + n, input->nr_held);
	}
}

static void read_keys(struct console_input *input)
{
	uint8_t keys[256];
	size_t n = read_some(input, keys, sizeof(keys));

	for (size_t i = 0; i < n; i++)
		key_pressed(input, keys[i]);
	deliver_held(input);
}

/* ---- the loop's calls ---- */

static void source_ready(void *context, uint32_t events)
{
	struct console_input *input = context;

	if (events & (EPOLLHUP | EPOLLERR))
		input->has_hung_up = true;
	if (input->is_terminal)
		read_keys(input);
	else if (!atomic_load(&input->is_waiting))
		pass_on(input);
}

static void room_again(void *context)
{
	struct console_input *input = context;

	if (input->is_terminal)
		deliver_held(input);
	else if (input->source.fd >= 0)
		pass_on(input);
}

int console_input_create(struct console_input *input, struct loop *loop,
			 const struct console_input_ops *ops, void *context)
{
	input->loop = loop;
	input->ops = ops;
	input->context = context;
	input->source = (struct loop_source){ -1, source_ready, input };
	return wakeup_create(&input->wakeup, loop, room_again, input);
}

void console_input_destroy(struct console_input *input)
{
	console_input_detach(input);
	wakeup_destroy(&input->wakeup);
}

int console_input_attach(struct console_input *input, int fd, bool is_terminal)
{
	int err;

	input->source.fd = fd;
	input->is_terminal = is_terminal;
	input->is_after_escape = false;
	input->has_hung_up = false;
	input->nr_held = 0;
	atomic_store(&input->is_waiting, false);

	err = loop_add(input->loop, &input->source, EPOLLIN);
	input->is_pollable = !err;
	input->is_read = !err;
	if (err == -EPERM) { /* a plain file: nothing to wait for */
		wakeup_raise(&input->wakeup);
		return 0;
	}
	if (err)
		input->source.fd = -1;
	return err;
}

void console_input_detach(struct console_input *input)
{
	if (input->source.fd >= 0 && input->is_pollable)
		loop_remove(input->loop, &input->source);
	input->source.fd = -1;
}
