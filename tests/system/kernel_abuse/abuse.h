/*
 * A child that misuses what a kernel offers: what its threads share, and the steps that they take, each with arguments that follow from
 * a seed. A step may fail, wait until a signal comes, or change whatever the others stand on.
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/system/kernel_abuse/random.h"

enum {
	PAGE = 4096,
	ARENA_BYTES = 8 << 20,
	GUEST_BYTES = 2 << 20,
	ENTRY = 0x1000,	  /* of guests' code, physical */
	TABLES = 0x10000, /* of guests' pages */
	FDS = 48,
};

extern uint8_t *arena; /* memory that is mapped, unmapped and protected at will */

/* --- arguments.c --- */

void *any_place(struct random *random); /* a page of the arena's */
uint64_t any_number(struct random *random);
int any_fd(struct random *random);
void keep_fd(struct random *random, int fd); /* any_fd() may return it from now on */

/* Bytes that are random in few places, all zero, or all random. */
void fill(struct random *random, void *bytes, size_t size);

/* --- guest.c: what a guest starts with --- */

void write_guest(struct random *random); /* code and page tables into the arena */
void set_registers(struct random *random, int vcpu);
void set_real_mode(struct kvm_sregs *sregs);

/* --- honest.c --- */

bool honest_guest_works(void); /* in the smallest of VMs */

/* --- kvm.c --- */

void make_vm(struct random *random);
void set_memory(struct random *random);
void set_state(struct random *random);
void set_msrs(struct random *random);
void change_state(struct random *random);
void any_ioctl(struct random *random);
void connect_interrupt(struct random *random);
void send_message(struct random *random);
void write_run(struct random *random); /* into a vCPU's run structure */
void run_guest(struct random *random);

/* --- process.c: what else a process can do --- */

void make_file(struct random *random);
void close_or_copy(struct random *random);
void change_memory(struct random *random);
void any_call(struct random *random);
