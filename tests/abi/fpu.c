/*
 * Floating-point and vector registers belong to their thread.
 */
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <time.h>

#include "tests/abi/abi.h"

enum { THREADS = 6, ROUNDS = 300 };

static bool has_avx, has_avx512;

/* Sets registers of each kind, gives others the CPU, and looks at them. */
static bool keeps_sse(uint64_t value)
{
	uint64_t low = 0, high = 0;

	__asm__ volatile("movq %2, %%xmm3\n\tmovq %2, %%xmm15\n\t"
			 "mov $24, %%eax\n\tsyscall\n\t" /* sched_yield */
			 "movq %%xmm3, %0\n\tmovq %%xmm15, %1"
			 : "=&r"(low), "=&r"(high)
			 : "r"(value)
			 : "rax", "rcx", "r11", "xmm3", "xmm15", "memory");
	return low == value && high == value;
}

__attribute__((target("avx"))) static bool keeps_avx(uint64_t value)
{
	uint64_t in[4] = { value, value + 1, value + 2, value + 3 }, out[4];

	__asm__ volatile("vmovdqu %1, %%ymm7\n\tmov $24, %%eax\n\tsyscall\n\tvmovdqu %%ymm7, %0"
			 : "=m"(out)
			 : "m"(in)
			 : "rax", "rcx", "r11", "xmm7", "memory");
	return out[0] == in[0] && out[3] == in[3];
}

static bool keeps_control(uint64_t value)
{
	unsigned int mxcsr = 0x1f80 | (unsigned int)(value % 4) << 13, back;
	unsigned short word = (unsigned short)(0x37f & ~(value % 2 ? 0x300 : 0)), word_back;

	__asm__ volatile("ldmxcsr %2\n\tfldcw %3\n\tmov $24, %%eax\n\tsyscall\n\t"
			 "stmxcsr %0\n\tfnstcw %1"
			 : "=m"(back), "=m"(word_back)
			 : "m"(mxcsr), "m"(word)
			 : "rax", "rcx", "r11", "memory");
	return back == mxcsr && word_back == word;
}

static void *check(void *argument)
{
	uint64_t value = (uint64_t)(uintptr_t)argument;
	uintptr_t bad = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		bad += !keeps_sse(value * 1000 + i);
		bad += !keeps_control(value);
		if (has_avx)
			bad += !keeps_avx(value * 1000 + i);
	}
	return (void *)bad;
}

static volatile bool is_over;

/* Keeps its sums in registers while others preempt it. */
static void *compute(void *argument)
{
	double start = (double)(uintptr_t)argument, sum = start;
	uintptr_t bad = 0;

	while (!is_over) {
		for (int i = 0; i < 100000; i++)
			sum = sum * 1.0 + 1.0;
		bad += sum != start + 100000.0;
		sum = start;
	}
	return (void *)bad;
}

static void run(void *(*function)(void *), unsigned int ms)
{
	pthread_t threads[THREADS];
	uintptr_t bad = 0;
	void *back;

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, function, (void *)(i + 1));
	sleep_ms(ms);
	is_over = true;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &back);
		bad += (uintptr_t)back;
	}
	say("lost: %lu", bad);
}

static void *first_state(void *argument)
{
	unsigned int mxcsr;
	unsigned short word;

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(word));
	say("a new thread's: %#x %#x", mxcsr & 0xffc0, word);
	return argument;
}

void group_fpu(void)
{
	pthread_t thread;

	has_avx = __builtin_cpu_supports("avx");
	has_avx512 = __builtin_cpu_supports("avx512f");
	pthread_create(&thread, NULL, first_state, NULL);
	pthread_join(thread, NULL);
	run(check, 0);
	is_over = false;
	run(compute, 200);
}
