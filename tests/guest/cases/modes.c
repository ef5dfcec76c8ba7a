/*
 * Real mode and protected mode, as processors pass through them when they start: segments, the interrupt table, ports, HLT, paging of 32
 * bits. What runs there is in modes_code.S.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/trap.h"

enum { RESULT_AT = 0x7000, DONE = 0x600d, WORDS = 16, APIC_VERSION_LOW = 0x14 };

#define KVM_NAME 0x4b4d564bu

extern uint32_t startup_cr3; /* of startup.S */
uint32_t compatible_run(void);

/* clang-format off */
#define CODES(X) \
	X(registers) X(segments) X(interrupts) X(exceptions) X(limits) X(ports) X(exits) X(halt) \
	X(unreal) X(flat) X(based) X(faults) X(checks) X(paging32) X(pae) X(there_and_back)
/* clang-format on */
#define DECLARE(name) extern const char code_##name[], code_##name##_end[];
CODES(DECLARE)
#undef DECLARE

static volatile uint32_t *const result = (volatile uint32_t *)RESULT_AT;

static void begin(const char *code, const char *end)
{
	if (cpus_count() < 2)
		skip("one processor");
	for (uint32_t i = 0; i < WORDS; i++)
		result[i] = 0;
	cpu_start_at(1, code, (size_t)(end - code));
}

static void wait_done(void)
{
	if (!WAIT(result[0] == DONE))
		fail("the processor doesn't come to the end of its code");
}

#define RUN(name)                                      \
	do {                                           \
		begin(code_##name, code_##name##_end); \
		wait_done();                           \
	} while (0)

static void a_processor_starts_in_real_mode(void)
{
	RUN(registers);
	EXPECT(result[1], 0);			  /* EAX */
	EXPECT(result[2] & ~0x10000u, 2);	  /* EFLAGS */
	EXPECT(result[3], 0x800);		  /* CS; DS is 0 */
	EXPECT(result[4] & ~0x60000000u, CR0_ET); /* CR0 */
	EXPECT(result[5], cpuid(1, 0).eax);	  /* EDX */
	EXPECT(result[6], 0);			  /* CR4 */
	EXPECT(result[7], 0);			  /* EFER */
}

static void segments_have_selectors_for_bases(void)
{
	RUN(segments);
	EXPECT(result[1], 0x12345678);
	EXPECT(result[2], 0x9abcdef0u);
	EXPECT(result[3], 0x0badcafe);
}

static void interrupts_go_through_the_vector_table(void)
{
	RUN(interrupts);
	EXPECT(result[1], 2);
	EXPECT(result[2], UINT32_MAX);
	EXPECT(result[3], 0x7f00);
}

static void exceptions_have_no_error_codes(void)
{
	RUN(exceptions);
	EXPECT(result[1], 1);
	EXPECT(result[2], 1);
	EXPECT(result[4], 0x7f00);
}

static void segments_have_limits_in_real_mode(void)
{
	RUN(limits);
	EXPECT(result[1], 1);
	EXPECT(result[2], 0x7f00);
}

static void ports_in_real_mode(void)
{
	RUN(ports);
	EXPECT(result[1], 0xa7);
	EXPECT(result[2], 0xa7a7a7a7u);
	EXPECT(result[3], 0xa7a7a7a7u);
	EXPECT(result[4], (uint32_t)(RESULT_AT + 16) << 16);
	EXPECT(result[5], 0x80001234u);
}

static void exits_in_real_mode(void)
{
	RUN(exits);
	EXPECT(result[1], KVM_NAME);
	EXPECT(result[2], APIC_AT | APIC_BASE_ENABLED);
}

static void an_nmi_ends_hlt_in_real_mode(void)
{
	begin(code_halt, code_halt_end);
	EXPECT_TRUE(WAIT(result[1] == 1));
	spin_ms(2);
	EXPECT(result[0], 0);
	apic_send(1, ICR_NMI | ICR_ASSERT);
	wait_done();
	EXPECT(result[1], 2);
	EXPECT(result[2], 1);
}

static void an_interrupt_ends_hlt_in_unreal_mode(void)
{
	begin(code_unreal, code_unreal_end);
	EXPECT_TRUE(WAIT(result[4] == 1));
	apic_send(1, ICR_FIXED | ICR_ASSERT | 0x51);
	wait_done();
	EXPECT(result[1] & 0xff, APIC_VERSION_LOW);
	EXPECT(result[2], 0x1ff);
	EXPECT(result[3], 1);
}

static void flat_protected_mode(void)
{
	RUN(flat);
	EXPECT(result[1], KVM_NAME);
	EXPECT(result[2] & 0xff, APIC_VERSION_LOW);
	EXPECT(result[3], 0x1ff);
	EXPECT(result[4], 0x6b6b6b6bu);
}

static void segments_have_bases(void)
{
	RUN(based);
	EXPECT(result[1], 0x11112222);
	EXPECT(result[2], 0x77);
	EXPECT(result[3] & 0xff, APIC_VERSION_LOW);
	EXPECT(result[4], 0x3c3c3c3cu);
	EXPECT(result[5], 20);
	EXPECT(result[6], 0x16161616);
}

static void faults_of_segments(void)
{
	RUN(faults);
	EXPECT(result[1], 0x28);
	EXPECT(result[2], 0x28);
	EXPECT(result[3], 0x1238);
	EXPECT(result[5], 1);
	EXPECT(result[6], 1);
}

static void overflow_and_bound(void)
{
	RUN(checks);
	EXPECT(result[1], 1);
	EXPECT(result[2], 1);
	EXPECT(result[3], 0x7f00);
}

static void paging_of_32_bits(void)
{
	RUN(paging32);
	EXPECT(result[1] & 0xff, APIC_VERSION_LOW);
	EXPECT(result[2], 0x5151);
	EXPECT(result[3] & 0xff, APIC_VERSION_LOW);
	EXPECT(result[4] & 0x60, 0x60);
	EXPECT(result[5] & 0x20, 0x20);
}

static void paging_with_pae(void)
{
	RUN(pae);
	EXPECT(result[1] & 0xff, APIC_VERSION_LOW);
	EXPECT(result[2], 0x5151);
	EXPECT(result[3] & 0xff, APIC_VERSION_LOW);
	EXPECT(result[4] & 0x60, 0x60);
}

static void into_long_mode_and_back_to_real_mode(void)
{
	startup_cr3 = (uint32_t)read_cr3();
	RUN(there_and_back);
	EXPECT(result[1], 2);
	EXPECT(result[2], EFER_LME | EFER_LMA);
	EXPECT(result[3], EFER_LME);
	EXPECT(result[4], 3);
}

static void code_of_32_bits_in_long_mode(void)
{
	for (uint32_t i = 0; i < 20; i++)
		EXPECT(compatible_run(), APIC_VERSION_LOW);
}

static void init_stops_a_processor(void)
{
	begin(code_halt, code_halt_end);
	EXPECT_TRUE(WAIT(result[1] == 1));
	apic_send(1, ICR_INIT | ICR_ASSERT);
	apic_send(1, ICR_NMI | ICR_ASSERT);
	spin_ms(5);
	EXPECT(result[1], 1);
	EXPECT(result[2], 0);
}

static void a_start_without_init_is_ignored(void)
{
	begin(code_halt, code_halt_end);
	EXPECT_TRUE(WAIT(result[1] == 1));
	result[1] = 0;
	apic_send(1, ICR_STARTUP | ICR_ASSERT | STARTUP_AT >> 12);
	spin_ms(5);
	EXPECT(result[1], 0);
}

static void a_second_start_is_ignored(void)
{
	RUN(segments);
	result[0] = 0;
	apic_send(1, ICR_STARTUP | ICR_ASSERT | STARTUP_AT >> 12);
	spin_ms(5);
	EXPECT(result[0], 0);
}

static void a_processor_can_be_started_again(void)
{
	for (uint32_t i = 0; i < 10; i++)
		RUN(segments);
}

static void all_can_be_started_by_one_message(void)
{
	cpus_start();
	cpus_stop();
	for (uint32_t i = 0; i < WORDS; i++)
		result[i] = 0;
	__builtin_memcpy((void *)STARTUP_AT, code_segments,
			 (size_t)(code_segments_end - code_segments));
	apic_send(0, ICR_INIT | ICR_ASSERT | ICR_OTHERS);
	apic_send(0, ICR_STARTUP | ICR_ASSERT | ICR_OTHERS | STARTUP_AT >> 12);
	wait_done();
	/* The deassertion that old systems send means nothing. */
	apic_send(0, ICR_INIT | ICR_LEVEL | ICR_OTHERS);
	cpus_start();
}

static void many_starts_of_all_processors(void)
{
	for (uint32_t i = 0; i < 5; i++) {
		cpus_start();
		cpus_stop();
	}
}

const struct test_case test_cases[] = {
	CASE(a_processor_starts_in_real_mode),
	CASE(segments_have_selectors_for_bases),
	CASE(interrupts_go_through_the_vector_table),
	CASE(exceptions_have_no_error_codes),
	CASE(segments_have_limits_in_real_mode),
	CASE(ports_in_real_mode),
	CASE(exits_in_real_mode),
	CASE(an_nmi_ends_hlt_in_real_mode),
	CASE(an_interrupt_ends_hlt_in_unreal_mode),
	CASE(flat_protected_mode),
	CASE(segments_have_bases),
	CASE(faults_of_segments),
	CASE(overflow_and_bound),
	CASE(paging_of_32_bits),
	CASE(paging_with_pae),
	CASE(into_long_mode_and_back_to_real_mode),
	CASE(code_of_32_bits_in_long_mode),
	CASE(init_stops_a_processor),
	CASE(a_start_without_init_is_ignored),
	CASE(a_second_start_is_ignored),
	CASE(a_processor_can_be_started_again),
	CASE(all_can_be_started_by_one_message),
	CASE(many_starts_of_all_processors),
	{ 0 },
};
