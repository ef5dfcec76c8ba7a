/*
 * Time and what KVM offers beyond hardware: the TSC, kvmclock, hypercalls, steal time, IPIs by hypercall.
 *
 * Source: Documentation/virt/kvm/x86/{cpuid,msr,hypercalls}.rst.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

enum {
	KVM_FEATURES = 0x40000001,
	FEATURE_CLOCK_OLD = 0,
	FEATURE_CLOCK = 3,
	FEATURE_STEAL_TIME = 5,
	FEATURE_PV_EOI = 6,
	FEATURE_UNHALT = 7,
	FEATURE_PV_TLB_FLUSH = 9,
	FEATURE_SEND_IPI = 11,
	FEATURE_POLL_CONTROL = 12,
	FEATURE_CLOCK_STABLE = 24,

	MSR_WALL_CLOCK = 0x4b564d00,
	MSR_SYSTEM_TIME = 0x4b564d01,
	MSR_STEAL_TIME = 0x4b564d03,
	MSR_PV_EOI = 0x4b564d04,
	MSR_POLL_CONTROL = 0x4b564d05,

	HC_VAPIC_POLL_IRQ = 1,
	HC_KICK_CPU = 5,
	HC_CLOCK_PAIRING = 9,
	HC_SEND_IPI = 10,
	ENOSYS_ = 1000,
	EPERM_ = 1,
	VECTOR_A = 0x51,
	VECTOR_B = 0x61,
	ROUNDS = 40,
	FLUSHES = 200,
	VCPU_PREEMPTED = 1,
	VCPU_FLUSH_TLB = 2,
};

static bool has(uint32_t feature)
{
	return cpuid(KVM_FEATURES, 0).eax >> feature & 1;
}

static uint64_t hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t rax __asm__("rax") = number;

	__asm__ volatile("vmmcall" : "+a"(rax) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return rax;
}

/* ---- TSC ---- */

static void the_tsc_goes_up(void)
{
	uint64_t last = rdtsc();

	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t now = rdtsc();

		EXPECT_TRUE(now >= last);
		if (!(i % 20))
			(void)inb(0x80);
		last = now;
	}
}

static void rdtsc_may_be_for_ring_0_only(void)
{
	static const uint8_t code[] = { 0x0f, 0x31, 0xcd, 0x81 };
	uint64_t rsp, rip = paging_map_user_code(code, sizeof(code), &rsp);

	EXPECT(ring3_run(rip, rsp, 0, NULL), VECTOR_RING3_DONE);
	write_cr4(read_cr4() | CR4_TSD);
	EXPECT(ring3_run(rip, rsp, 0, NULL), VECTOR_GP);
}

static volatile uint64_t last_tsc;
static volatile uint32_t turn, backwards;

static void take_turns(void)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t now;

		while (turn % 2 != cpu_index())
			pause();
		now = rdtsc();
		backwards += now < last_tsc;
		last_tsc = now;
		turn++;
	}
}

/* What one processor has seen before another one looks is less. */
static void the_tsc_goes_up_over_processors(void)
{
	cpus_start();
	turn = 0;
	backwards = 0;
	last_tsc = 0;
	cpu_begin(1, take_turns);
	take_turns();
	cpu_wait(1);
	EXPECT(backwards, 0);
}

/* ---- kvmclock ---- */

struct pv_time {
	uint32_t version, reserved;
	uint64_t tsc, ns;
	uint32_t multiplier;
	int8_t shift;
	uint8_t flags, padding[2];
} __attribute__((aligned(64)));

static volatile struct pv_time pv_times[CPUS_MAX];

static uint64_t clock_ns(const volatile struct pv_time *time)
{
	uint64_t delta, ns;
	uint32_t version;

	do {
		version = time->version;
		BARRIER();
		delta = rdtsc() - time->tsc;
		delta = time->shift >= 0 ? delta << time->shift : delta >> -time->shift;
		ns = time->ns + (uint64_t)((unsigned __int128)delta * time->multiplier >> 32);
		BARRIER();
	} while ((version & 1) || version != time->version);
	return ns;
}

static void start_clock(void)
{
	wrmsr(MSR_SYSTEM_TIME, (uintptr_t)&pv_times[cpu_index()] | 1);
}

static void the_clock_is_filled_in(void)
{
	if (!has(FEATURE_CLOCK))
		skip("no kvmclock");
	start_clock();
	EXPECT(rdmsr(MSR_SYSTEM_TIME), (uintptr_t)&pv_times[0] | 1);
	EXPECT(pv_times[0].version & 1, 0);
	EXPECT_TRUE(pv_times[0].version > 0);
	EXPECT_TRUE(pv_times[0].multiplier > 0);
	wrmsr(MSR_SYSTEM_TIME, 0);
}

static void the_clock_goes_with_the_tsc(void)
{
	uint64_t start_ns, start_tsc, ns, tsc;

	if (!has(FEATURE_CLOCK))
		skip("no kvmclock");
	start_clock();
	/* Within 5 % of the time that the PM timer has told; again if the guest was held up amid a pair of readings. */
	for (uint32_t i = 0; i < 20; i++) {
		start_ns = clock_ns(&pv_times[0]);
		start_tsc = rdtsc();
		spin_ms(10);
		ns = clock_ns(&pv_times[0]) - start_ns;
		tsc = rdtsc() - start_tsc;
		if (ns > tsc * 950000u / tsc_per_ms() && ns < tsc * 1050000u / tsc_per_ms()) {
			wrmsr(MSR_SYSTEM_TIME, 0);
			return;
		}
	}
	wrmsr(MSR_SYSTEM_TIME, 0);
	fail("the clock and the TSC disagree by more than 5 %");
}

static void the_clock_never_goes_back(void)
{
	uint64_t last = 0;

	if (!has(FEATURE_CLOCK))
		skip("no kvmclock");
	start_clock();
	for (uint32_t i = 0; i < 300; i++) {
		uint64_t now = clock_ns(&pv_times[0]);

		EXPECT_TRUE(now >= last);
		last = now;
		if (!(i % 10))
			(void)inb(0x80);
	}
	wrmsr(MSR_SYSTEM_TIME, 0);
}

static void a_clock_outside_memory_harms_nobody(void)
{
	if (!has(FEATURE_CLOCK))
		skip("no kvmclock");
	/* Whatever becomes of it, the guest goes on. */
	(void)try_wrmsr(MSR_SYSTEM_TIME, UINT64_C(0xd0000000) | 1);
	(void)inb(0x80);
	(void)try_wrmsr(MSR_SYSTEM_TIME, 0);
	EXPECT(rdmsr(MSR_SYSTEM_TIME) & 1, 0);
}

static volatile struct wall_clock {
	uint32_t version, seconds, ns;
} wall_clock;

static void the_wall_clock_is_told(void)
{
	if (!has(FEATURE_CLOCK))
		skip("no kvmclock");
	wrmsr(MSR_WALL_CLOCK, (uintptr_t)&wall_clock);
	EXPECT(wall_clock.version & 1, 0);
	EXPECT_TRUE(wall_clock.version > 0);
	EXPECT_TRUE(wall_clock.seconds > 1700000000u || wall_clock.seconds < 86400u);
	EXPECT_TRUE(wall_clock.ns < 1000000000u);
}

static volatile uint64_t ap_ns;

static void read_own_clock(void)
{
	start_clock();
	ap_ns = clock_ns(&pv_times[cpu_index()]);
	wrmsr(MSR_SYSTEM_TIME, 0);
}

static void clocks_of_processors_agree(void)
{
	if (!has(FEATURE_CLOCK))
		skip("no kvmclock");
	cpus_start();
	start_clock();
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++) {
		uint64_t first = clock_ns(&pv_times[0]), last;

		cpu_run(cpu, read_own_clock);
		last = clock_ns(&pv_times[0]);
		EXPECT_TRUE(ap_ns + 1000 >= first && ap_ns <= last + 1000);
	}
	wrmsr(MSR_SYSTEM_TIME, 0);
}

/* ---- hypercalls ---- */

static void an_unknown_hypercall_says_so(void)
{
	EXPECT(hypercall(0x1234, 0, 0, 0, 0), (uint64_t)-ENOSYS_);
	EXPECT(hypercall(UINT32_MAX, 1, 2, 3, 4), (uint64_t)-ENOSYS_);
}

static void poll_irq_does_nothing(void)
{
	EXPECT(hypercall(HC_VAPIC_POLL_IRQ, 0, 0, 0, 0), 0);
}

static void a_hypercall_leaves_the_registers(void)
{
	uint64_t a = 0x1234, b = 2, c = 3, d = 4, s = 5, rdi = 6, r8 = 0, r15 = 0;

	__asm__ volatile(
		"movq $0x88, %%r8; movq $0xff, %%r15; vmmcall; movq %%r8, %6; movq %%r15, %7"
		: "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(s), "+D"(rdi), "=m"(r8), "=m"(r15)
		:
		: "memory", "r8", "r15");
	EXPECT(a, (uint64_t)-ENOSYS_);
	EXPECT(b, 2);
	EXPECT(c, 3);
	EXPECT(d, 4);
	EXPECT(s, 5);
	EXPECT(rdi, 6);
	EXPECT(r8, 0x88);
	EXPECT(r15, 0xff);
}

/* At the end of a page, and with the hypervisor free to put its own instruction there. */
static void the_other_vendors_hypercall_will_do(void)
{
	static const uint8_t code[] = { 0x0f, 0x01, 0xc1, 0xc3 };

	for (uint32_t before = 0; before <= sizeof(code); before++) {
		uint8_t *pages[2] = { page_take(), page_take() };
		uint64_t start = PAGING_FREE_AT + PAGE_BYTES - before, rax;

		for (uint32_t i = 0; i < sizeof(code); i++)
			pages[i >= before][(PAGE_BYTES - before + i) % PAGE_BYTES] = code[i];
		paging_map(PAGING_FREE_AT, (uintptr_t)pages[0] | PTE_RW, 1);
		paging_map(PAGING_FREE_AT + PAGE_BYTES, (uintptr_t)pages[1] | PTE_RW, 1);
		__asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
		for (uint32_t i = 0; i < 3; i++) {
			rax = i ? HC_VAPIC_POLL_IRQ : 0x1234;
			__asm__ volatile("call *%1"
					 : "+a"(rax)
					 : "r"(start)
					 : "memory", "rbx", "rcx", "rdx", "rsi");
			EXPECT(rax, i ? 0 : (uint64_t)-ENOSYS_);
		}
	}
}

static void ring_3_may_not_call(void)
{
	static const uint8_t code[] = { 0xb8, 1, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xcd, 0x81 };
	uint64_t rsp, rax, rip = paging_map_user_code(code, sizeof(code), &rsp);

	EXPECT(ring3_run(rip, rsp, 0, &rax), VECTOR_RING3_DONE);
	EXPECT(rax, (uint64_t)-EPERM_);
}

static volatile uint32_t counts[CPUS_MAX];

static void count(struct frame *frame __attribute__((unused)))
{
	counts[cpu_index()]++;
	apic_eoi();
}

static void ipis_by_hypercall_reach_those_named(void)
{
	uint64_t reached;

	if (!has(FEATURE_SEND_IPI))
		skip("no IPIs by hypercall");
	cpus_start();
	trap_handle(VECTOR_A, count);
	for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++)
		counts[cpu] = 0;
	/* A bitmap from the lowest id on: here 1 and 3. */
	reached = hypercall(HC_SEND_IPI, 0x5, 0, 1, ICR_FIXED | VECTOR_A);
	EXPECT(reached, 2);
	EXPECT_TRUE(WAIT(counts[1] == 1 && counts[3] == 1));
	EXPECT(counts[0] + counts[2], 0);
	/* Of these only 3 exists. */
	EXPECT(hypercall(HC_SEND_IPI, 0x11, 0, 3, ICR_FIXED | VECTOR_A), 1);
	EXPECT_TRUE(WAIT(counts[3] == 2));
}

static void a_kick_wakes_a_halted_processor(void)
{
	if (!has(FEATURE_UNHALT))
		skip("no kick");
	cpus_start();
	EXPECT(hypercall(HC_KICK_CPU, 0, 1, 0, 0), 0);
	EXPECT(hypercall(HC_KICK_CPU, 0, 77, 0, 0), 0);
}

/* ---- steal time ---- */

static volatile struct steal_time {
	uint64_t steal;
	uint32_t version, flags;
	uint8_t preempted, padding[47];
} steal_time __attribute__((aligned(64)));

static void steal_time_is_told(void)
{
	uint64_t last;

	if (!has(FEATURE_STEAL_TIME))
		skip("no steal time");
	steal_time.steal = 0;
	wrmsr(MSR_STEAL_TIME, (uintptr_t)&steal_time | 1);
	EXPECT(rdmsr(MSR_STEAL_TIME), (uintptr_t)&steal_time | 1);
	last = steal_time.steal;
	for (uint32_t i = 0; i < 20; i++) {
		(void)inb(0x80);
		EXPECT(steal_time.version & 1, 0);
		EXPECT_TRUE(steal_time.steal >= last);
		last = steal_time.steal;
	}
	EXPECT(steal_time.preempted, 0);
	wrmsr(MSR_STEAL_TIME, 0);
}

static void steal_time_refuses_reserved_bits(void)
{
	if (!has(FEATURE_STEAL_TIME))
		skip("no steal time");
	EXPECT(try_wrmsr(MSR_STEAL_TIME, (uintptr_t)&steal_time | 2 | 1), VECTOR_GP);
	EXPECT(rdmsr(MSR_STEAL_TIME) & 1, 0);
}

/* ---- flushes that are left to a processor that doesn't run ---- */

static volatile struct steal_time watcher_time __attribute__((aligned(64)));
static volatile uint32_t looks, last_seen, wants_invlpg, is_over;

/* On another processor. */
static void watch_page(void)
{
	const volatile uint32_t *page = (const volatile uint32_t *)PAGING_FREE_AT;

	wrmsr(MSR_STEAL_TIME, (uintptr_t)&watcher_time | 1);
	while (!is_over) {
		last_seen = *page;
		looks++;
		if (!wants_invlpg)
			continue;
		__asm__ volatile("invlpg (%0)" : : "r"(PAGING_FREE_AT) : "memory");
		wants_invlpg = 0;
	}
	wrmsr(MSR_STEAL_TIME, 0);
}

/* As guests do it: the one that runs is asked, and to the other it is left. */
static void flush_watcher(void)
{
	uint8_t found = VCPU_PREEMPTED;

	if (__atomic_compare_exchange_n(&watcher_time.preempted, &found,
					VCPU_PREEMPTED | VCPU_FLUSH_TLB, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		return;
	wants_invlpg = 1;
	EXPECT_TRUE(WAIT(!wants_invlpg));
}

static void flushes_may_be_left_to_a_processor(void)
{
	uint32_t *pages[2] = { page_take(), page_take() }, before;
	uint64_t *entry = paging_map(PAGING_FREE_AT, (uintptr_t)pages[0] | PTE_RW, 1);

	if (!has(FEATURE_PV_TLB_FLUSH))
		skip("no flushes to be left");
	*pages[1] = 1;
	is_over = wants_invlpg = looks = 0;
	cpus_start();
	cpu_begin(1, watch_page);
	EXPECT_TRUE(WAIT(looks));
	for (uint32_t i = 1; i <= FLUSHES; i++) {
		__atomic_store_n(entry, (uintptr_t)pages[i % 2] | PTE_RW, __ATOMIC_SEQ_CST);
		flush_watcher();
		before = looks;
		/* The look that it was amid counts, too. */
		EXPECT_TRUE(WAIT(looks - before >= 2));
		EXPECT(last_seen, i % 2);
	}
	is_over = 1;
	cpu_wait(1);
	EXPECT(watcher_time.preempted, 0);
}

/* ---- EOI ---- */

static volatile uint32_t pv_eoi __attribute__((aligned(4)));
static volatile uint32_t ends_by_memory;

static void end_interrupt(void)
{
	uint8_t had;

	__asm__ volatile("lock btrl $0, %0; setc %1" : "+m"(pv_eoi), "=qm"(had) : : "memory");
	ends_by_memory += had;
	if (!had)
		apic_eoi();
}

static void count_with_pv_eoi(struct frame *frame __attribute__((unused)))
{
	counts[0]++;
	end_interrupt();
}

static void start_pv_eoi(void (*handler)(struct frame *frame))
{
	if (!has(FEATURE_PV_EOI))
		skip("no EOI by memory");
	counts[0] = 0;
	pv_eoi = 0;
	trap_handle(VECTOR_A, handler);
	wrmsr(MSR_PV_EOI, (uintptr_t)&pv_eoi | 1);
	EXPECT(rdmsr(MSR_PV_EOI), (uintptr_t)&pv_eoi | 1);
}

static void interrupt_myself(void)
{
	uint32_t before = counts[0];

	apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_SELF | VECTOR_A);
	sti();
	EXPECT_TRUE(WAIT(counts[0] != before));
	cli();
	EXPECT(counts[0], before + 1);
	EXPECT_TRUE(!apic_bit(APIC_ISR, VECTOR_A));
}

static void the_end_of_an_interrupt_by_memory(void)
{
	start_pv_eoi(count_with_pv_eoi);
	ends_by_memory = 0;
	for (uint32_t i = 0; i < 10; i++)
		interrupt_myself();
	/* Whatever else ends a guest's run may take the bit back, but it won't do so each time. */
	EXPECT_TRUE(WAIT((interrupt_myself(), ends_by_memory)));
	wrmsr(MSR_PV_EOI, 0);
}

/* What comes amid another makes it end in the usual way. */
static void count_nested(struct frame *frame __attribute__((unused)))
{
	counts[0]++;
	apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_SELF | VECTOR_B);
	sti();
	EXPECT_TRUE(WAIT(counts[1]));
	cli();
	EXPECT_TRUE(apic_bit(APIC_ISR, VECTOR_A));
	EXPECT_TRUE(!apic_bit(APIC_ISR, VECTOR_B));
	end_interrupt();
}

static void count_inner(struct frame *frame __attribute__((unused)))
{
	EXPECT_TRUE(apic_bit(APIC_ISR, VECTOR_A));
	EXPECT_TRUE(apic_bit(APIC_ISR, VECTOR_B));
	counts[1]++;
	end_interrupt();
}

static void interrupts_that_end_by_memory_nest(void)
{
	start_pv_eoi(count_nested);
	trap_handle(VECTOR_B, count_inner);
	for (uint32_t i = 0; i < 10; i++) {
		counts[1] = 0;
		interrupt_myself();
	}
	wrmsr(MSR_PV_EOI, 0);
}

static void count_with_apic(struct frame *frame __attribute__((unused)))
{
	counts[0]++;
	apic_eoi();
	EXPECT(pv_eoi, 0);
}

static void the_apic_still_ends_interrupts(void)
{
	start_pv_eoi(count_with_apic);
	for (uint32_t i = 0; i < 10; i++)
		interrupt_myself();
	wrmsr(MSR_PV_EOI, 0);
}

static void the_end_by_memory_has_to_be_in_memory(void)
{
	start_pv_eoi(count_with_pv_eoi);
	EXPECT(try_wrmsr(MSR_PV_EOI, (uintptr_t)&pv_eoi | 2 | 1), VECTOR_GP);
	EXPECT(try_wrmsr(MSR_PV_EOI, UINT64_C(0xfffffffff000) | 1), VECTOR_GP);
	EXPECT(try_wrmsr(MSR_PV_EOI, UINT64_C(0xfffffffffffffffd)), VECTOR_GP);
	EXPECT(rdmsr(MSR_PV_EOI), (uintptr_t)&pv_eoi | 1);
	/* Where it isn't used it may be anywhere. */
	wrmsr(MSR_PV_EOI, UINT64_C(0xfffffffffffffffc));
	EXPECT(rdmsr(MSR_PV_EOI), UINT64_C(0xfffffffffffffffc));
	interrupt_myself();
	EXPECT(pv_eoi, 0);
	wrmsr(MSR_PV_EOI, 0);
}

/* What other processors are asked to do: set both, and tell them. */
static volatile uint64_t found_clock, found_eoi;

static void read_pv_msrs(void)
{
	found_clock = rdmsr(MSR_SYSTEM_TIME);
	found_eoi = rdmsr(MSR_PV_EOI);
}

static void set_pv_msrs(void)
{
	wrmsr(MSR_SYSTEM_TIME, (uintptr_t)&pv_times[cpu_index()] | 1);
	wrmsr(MSR_PV_EOI, (uintptr_t)&pv_eoi | 1);
	read_pv_msrs();
}

/* Or memory would change under who uses it after a restart of that processor. */
static void an_init_ends_what_is_written_to_memory(void)
{
	if (!has(FEATURE_CLOCK) || !has(FEATURE_PV_EOI))
		skip("no clock, or no EOI by memory");
	cpus_start();
	cpu_run(1, set_pv_msrs);
	EXPECT(found_clock, (uintptr_t)&pv_times[1] | 1);
	EXPECT(found_eoi, (uintptr_t)&pv_eoi | 1);
	cpus_stop();
	cpus_start();
	cpu_run(1, read_pv_msrs);
	EXPECT(found_clock, 0);
	EXPECT(found_eoi, 0);
}

static void poll_control_is_kept(void)
{
	if (!has(FEATURE_POLL_CONTROL))
		skip("no control of polling");
	EXPECT(rdmsr(MSR_POLL_CONTROL), 1);
	wrmsr(MSR_POLL_CONTROL, 0);
	EXPECT(rdmsr(MSR_POLL_CONTROL), 0);
	EXPECT(try_wrmsr(MSR_POLL_CONTROL, 2), VECTOR_GP);
	wrmsr(MSR_POLL_CONTROL, 1);
}

const struct test_case test_cases[] = {
	CASE(the_tsc_goes_up),
	CASE(rdtsc_may_be_for_ring_0_only),
	CASE(the_tsc_goes_up_over_processors),
	CASE(the_clock_is_filled_in),
	CASE(the_clock_goes_with_the_tsc),
	CASE(the_clock_never_goes_back),
	CASE(a_clock_outside_memory_harms_nobody),
	CASE(the_wall_clock_is_told),
	CASE(clocks_of_processors_agree),
	CASE(an_unknown_hypercall_says_so),
	CASE(poll_irq_does_nothing),
	CASE(a_hypercall_leaves_the_registers),
	CASE(the_other_vendors_hypercall_will_do),
	CASE(ring_3_may_not_call),
	CASE(ipis_by_hypercall_reach_those_named),
	CASE(a_kick_wakes_a_halted_processor),
	CASE(steal_time_is_told),
	CASE(steal_time_refuses_reserved_bits),
	CASE(flushes_may_be_left_to_a_processor),
	CASE(the_end_of_an_interrupt_by_memory),
	CASE(interrupts_that_end_by_memory_nest),
	CASE(the_apic_still_ends_interrupts),
	CASE(the_end_by_memory_has_to_be_in_memory),
	CASE(an_init_ends_what_is_written_to_memory),
	CASE(poll_control_is_kept),
	{ 0 },
};
