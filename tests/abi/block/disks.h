/*
 * What the groups about block devices have in common: the disks, which tools/run-abi-tests gives to both systems.
 *
 * The oracle is Linux in the emulated server. What may differ and mustn't be said: what a device's number is; what of a partition's
 * contents the whole disk shows before it is on the medium (Linux has a page cache for each); how far a transfer came that failed.
 * A group puts on a disk whatever it reads from there: it runs more than once. What the disks hold in the end is compared, too.
 */
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/abi/abi.h"

#define DISK	      "/dev/vda" /* 16 MiB; partitions from 1 MiB on: 1 and 2 side by side, 1 MiB each; 5 */
#define DISK_READONLY "/dev/vdb"     /* 4 MiB */
#define DISK_LARGE    "/dev/vdc"     /* 8 MiB in blocks of 4 KiB; partition 1 */
#define DISK_BAD      "/dev/vdd"     /* 4 MiB, some of which can't be read or written */
#define DISK_HUGE     "/dev/vde"     /* of 8 EiB but a little; it keeps nothing */
#define DISK_NVME     "/dev/nvme0n1" /* 8 MiB; partitions 1 and 2 */
#define DISK_NVME_4K  "/dev/nvme0n2" /* 8 MiB in blocks of 4 KiB */
#define DISK_NVME_BAD "/dev/nvme0n3" /* as DISK_BAD */

enum { DISK_MIB = 1 << 20, DISK_BUFFER_BYTES = 4 << 20 };

/* As RESULT(), of one of several devices. */
long disk_result(const char *device, const char *name, long value);
#define DISK_RESULT(device, call) disk_result(device, #call, (long)(call))

/* Opened, or said why not. */
int disk_open(const char *device, int flags);
uint64_t disk_bytes(int fd);
/* The bytes of one block: what O_DIRECT is bound to. */
uint32_t disk_block_bytes(int fd);

/* Zeroed memory of DISK_BUFFER_BYTES, at a multiple of 2 MiB. It goes with the group. */
uint8_t *disk_buffer(void);

/* What a test has at @at of a disk; @salt tells its writes apart. */
uint8_t disk_pattern(uint64_t at, uint8_t salt);
void disk_fill(uint8_t *bytes, uint64_t at, size_t size, uint8_t salt);
int disk_holds(const uint8_t *bytes, uint64_t at, size_t size, uint8_t salt);
/* A checksum: what differs is said in one number. */
uint32_t disk_sum(const uint8_t *bytes, size_t size);

void group_block_open(void);
void group_block_claims(void);
void group_block_sizes(void);
void group_block_ends(void);
void group_block_transfers(void);
void group_block_memory(void);
void group_block_pointers(void);
void group_block_partitions(void);
void group_block_threads(void);
void group_block_errors(void);
