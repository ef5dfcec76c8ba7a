/*
 * The first program on a machine whose kernel is looked at from outside (test_kernel_*.py). Its first argument says what it does:
 *
 *   report        which devices are there; then it ends
 *   stay CPUS     memory full of a pattern, and a thread on each CPU that runs in ring 3; a line of input makes a guest run, too
 *   call          one system call after the other
 *   unknown       system calls that are not there, again and again
 *   compute       threads that never sleep: how their processors' time is shared
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	CPUS_MAX = 8,
	SECRET_BYTES = 64 << 20,
	GUEST_BYTES = 4 << 20,
	GUEST_ENTRY = 0x1000,
};

#define SECRET UINT64_C(0x5ec2e75ec2e75ec2)

static volatile int is_spinning = 1;

static void report(void)
{
	static const char *const paths[] = { "/dev/vda", "/dev/nvme0n1", "/dev/kvm" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int fd = open(paths[i], O_RDONLY);

		printf("DEVICE %s: %s\n", paths[i], fd < 0 ? strerror(errno) : "there");
		if (fd >= 0)
			close(fd);
	}
}

static void call_what_is_not_there(void)
{
	static const long numbers[] = { 500, 70000, 70001 };

	for (size_t i = 0; i < 3 * sizeof(numbers) / sizeof(*numbers); i++)
		syscall(numbers[i / 3]);
}

static void *map(size_t size, int protection)
{
	void *at = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		printf("FAIL mmap: %s\n", strerror(errno));
		exit(1);
	}
	return at;
}

/* Each page begins with the pattern. */
static void *map_secret(size_t size)
{
	uint8_t *at = map(size, PROT_READ | PROT_WRITE);

	for (size_t offset = 0; offset < size; offset += PAGE)
		*(uint64_t *)(at + offset) = SECRET;
	return at;
}

/* A page with these rights, each of them used: the kernel may give them as late as that. */
static void map_protected(int protection)
{
	volatile uint8_t *page = map(PAGE, PROT_READ | PROT_WRITE);
	void (*function)(void) = (void (*)(void))(uintptr_t)page;

	*page = 0xc3; /* RET */
	if (mprotect((void *)page, PAGE, protection))
		printf("FAIL mprotect: %s\n", strerror(errno));
	if (protection & PROT_WRITE)
		page[8] = *page;
	if (protection & PROT_EXEC)
		function();
	printf("PAGE %p %d\n", (void *)page, protection);
}

static void *spin(void *argument)
{
	(void)argument;
	while (is_spinning)
		;
	return NULL;
}

/* A guest that never leaves: its memory begins with the pattern, too, but for the page with its only instruction. */
static void *run_guest(void *memory)
{
	int kvm = open("/dev/kvm", O_RDWR), vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu;
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_BYTES,
						      .userspace_addr = (uintptr_t)memory };
	struct kvm_regs regs = { .rip = GUEST_ENTRY, .rflags = 2 };
	struct kvm_sregs sregs;
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	printf("RUN %p %d\n", mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0),
	       size);
	memcpy((uint8_t *)memory + GUEST_ENTRY, "\xeb\xfe", 2);
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) || ioctl(vcpu, KVM_GET_SREGS, &sregs)) {
		printf("FAIL guest: %s\n", strerror(errno));
		return NULL;
	}
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs)) {
		printf("FAIL guest: %s\n", strerror(errno));
		return NULL;
	}
	printf("GUEST\n");
	fflush(stdout);
	ioctl(vcpu, KVM_RUN, 0);
	printf("FAIL: the guest has left\n");
	return NULL;
}

static void stay(int cpus)
{
	void *guest = map_secret(GUEST_BYTES);
	pthread_t threads[CPUS_MAX];
	char line[16];

	map_secret(SECRET_BYTES);
	map_protected(PROT_READ);
	map_protected(PROT_READ | PROT_WRITE);
	map_protected(PROT_READ | PROT_EXEC);
	map_protected(PROT_READ | PROT_WRITE | PROT_EXEC);
	for (int i = 0; i < cpus; i++)
		if (pthread_create(&threads[i], NULL, spin, NULL))
			printf("FAIL: thread\n");
	printf("READY\n");
	fflush(stdout);
	while (!fgets(line, sizeof(line), stdin))
		pause();
	is_spinning = 0;
	for (int i = 0; i < cpus; i++)
		pthread_join(threads[i], NULL);
	if (pthread_create(threads, NULL, run_guest, guest))
		printf("FAIL: guest's thread\n");
	for (;;)
		pause();
}

/* --- compute --- */

enum { BUSY = 5, LEFT = 2, BUSY_MS = 2500, LEFT_ROUNDS = 8, LEFT_MS = 50 };

struct busy {
	pthread_t thread;
	int is_over;
	int64_t ran_ms;
};

static int64_t now_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *compute(void *argument)
{
	struct busy *busy = argument;

	while (!__atomic_load_n(&busy->is_over, __ATOMIC_RELAXED))
		;
	busy->ran_ms = now_ms(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

static void start_busy(struct busy threads[BUSY])
{
	for (int i = 0; i < BUSY; i++) {
		threads[i].is_over = 0;
		if (pthread_create(&threads[i].thread, NULL, compute, &threads[i]))
			printf("FAIL: thread\n");
	}
}

static void end_busy(struct busy *thread)
{
	__atomic_store_n(&thread->is_over, 1, __ATOMIC_RELAXED);
	pthread_join(thread->thread, NULL);
}

/* As many as can't be divided evenly among 2 or 4 processors. */
static void share(void)
{
	struct busy threads[BUSY];

	start_busy(threads);
	usleep(BUSY_MS * 1000);
	printf("SHARES");
	for (int i = 0; i < BUSY; i++) {
		end_busy(&threads[i]);
		printf(" %lld", (long long)threads[i].ran_ms);
	}
	printf("\n");
}

/* Most end, wherever they are; by chance those that are left lie on one processor. */
static void leave(void)
{
	struct busy threads[BUSY];

	for (int round = 0; round < LEFT_ROUNDS; round++) {
		int64_t ran, passed;

		start_busy(threads);
		usleep(20000);
		for (int i = LEFT; i < BUSY; i++)
			end_busy(&threads[i]);
		ran = now_ms(CLOCK_PROCESS_CPUTIME_ID);
		passed = now_ms(CLOCK_MONOTONIC);
		usleep(LEFT_MS * 1000);
		printf("LEFT %lld %lld\n", (long long)(now_ms(CLOCK_PROCESS_CPUTIME_ID) - ran),
		       (long long)(now_ms(CLOCK_MONOTONIC) - passed));
		for (int i = 0; i < LEFT; i++)
			end_busy(&threads[i]);
	}
}

int main(int argc, char *argv[])
{
	const char *task = argc > 1 ? argv[1] : "";

	if (!strcmp(task, "stay"))
		stay(argc > 2 && atoi(argv[2]) <= CPUS_MAX ? atoi(argv[2]) : 1);
	if (!strcmp(task, "report"))
		report();
	if (!strcmp(task, "unknown"))
		call_what_is_not_there();
	if (!strcmp(task, "compute")) {
		share();
		leave();
	}
	while (!strcmp(task, "call"))
		syscall(SYS_sched_yield);
	printf("DONE\n");
	return fflush(stdout) ? 1 : 0;
}
