/*
 * Instructions that reach a device's memory: a hypervisor has to carry them out itself.
 *
 * FORM() runs an instruction twice, on memory and on a device that keeps what is written to it, with the same registers,
 * flags and contents. All of these must be the same afterwards: the processor itself says what is right. The device is
 * the "PCI configuration access" capability of a virtio device, whose fields `offset` and `length` are 8 bytes that
 * hold anything; where 16 bytes or the start of a page are wanted, a virtio device's MSI-X table.
 */
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

enum { CAPABILITY_VENDOR = 0x09, CFG_PCI = 5, CFG_SCRATCH = 8, FLAGS_COMPARED = 0x8d5 | FLAG_DF };

#define RAX UINT64_C(0x8123456789abcdef)
#define RBX UINT64_C(0xfedcba9876543210)
#define RCX UINT64_C(0x0000000000000003)
#define RDX UINT64_C(0x00ff00ff80ff7f01)
#define MEM UINT64_C(0x11f2334455667788)

struct state {
	uint64_t rax, rbx, rcx, rdx, flags, memory, offset;
};

static struct virtio device;
static uint64_t scratch; /* 8 bytes */
static volatile uint64_t memory[4] __attribute__((aligned(64)));
static volatile uint64_t buffer[64] __attribute__((used));

static void find_scratch(void)
{
	uint32_t slot = 0, offset;

	while (slot < PCI_SLOTS && !virtio_find(slot, &device))
		slot++;
	if (slot == PCI_SLOTS)
		fail("no virtio device");
	mmio16(pci_at(slot, PCI_COMMAND)) = 7;
	offset = mmio8(pci_at(slot, PCI_CAPABILITIES));
	while (offset && !(mmio8(pci_at(slot, offset)) == CAPABILITY_VENDOR &&
			   mmio8(pci_at(slot, offset) + 3) == CFG_PCI))
		offset = mmio8(pci_at(slot, offset) + 1);
	if (!offset)
		fail("no access capability");
	scratch = pci_at(slot, offset) + CFG_SCRATCH;
}

static uint64_t prepare(struct state *state, bool is_device, uint64_t contents)
{
	uint64_t address = is_device ? scratch : (uintptr_t)memory;

	*state = (struct state){ RAX, RBX, RCX, RDX, FLAG_ONE | FLAG_CF, 0, 0 };
	mmio32(address) = (uint32_t)contents;
	mmio32(address + 4) = (uint32_t)(contents >> 32);
	return address;
}

static void finish(struct state *state, bool is_device, uint64_t rdi)
{
	uint64_t address = is_device ? scratch : (uintptr_t)memory;

	state->memory = mmio32(address) | (uint64_t)mmio32(address + 4) << 32;
	state->offset = rdi - address;
	state->flags &= FLAGS_COMPARED;
}

static void compare(const char *text, int line, const struct state *found,
		    const struct state *expected)
{
	expect(text, line, found->memory, expected->memory);
	expect(text, line, found->rax, expected->rax);
	expect(text, line, found->rbx, expected->rbx);
	expect(text, line, found->rcx, expected->rcx);
	expect(text, line, found->rdx, expected->rdx);
	expect(text, line, found->offset, expected->offset);
	expect(text, line, found->flags, expected->flags);
}

/* %rdi has the address; it and %rsi, %r8 to %r15 may change. Memory begins as @contents. */
#define FORM_WITH(contents, text)                                                                  \
	do {                                                                                       \
		struct state states[2];                                                            \
                                                                                                   \
		for (int i = 0; i < 2; i++) {                                                      \
			struct state *s = &states[i];                                              \
			uint64_t rdi = prepare(s, i, contents);                                    \
                                                                                                   \
			__asm__ volatile("pushq %5; popfq; " text "; pushfq; popq %5; cld"         \
					 : "+a"(s->rax), "+b"(s->rbx), "+c"(s->rcx), "+d"(s->rdx), \
					   "+D"(rdi), "+m"(s->flags)                               \
					 :                                                         \
					 : "memory", "cc", "rsi", "r8", "r9", "r10", "r11", "r12", \
					   "r13", "r14", "r15");                                   \
			finish(s, i, rdi);                                                         \
		}                                                                                  \
		compare(text, __LINE__, &states[1], &states[0]);                                   \
	} while (0)

#define FORM(text) FORM_WITH(MEM, text)

static void the_scratch_keeps_what_is_written(void)
{
	find_scratch();
	mmio64(scratch) = MEM;
	EXPECT(mmio64(scratch), MEM);
	for (uint32_t i = 0; i < 8; i++)
		EXPECT(mmio8(scratch + i), MEM >> (8 * i) & 0xff);
	mmio16(scratch + 2) = 0xabcd;
	EXPECT(mmio64(scratch), (MEM & ~0xffff0000ull) | 0xabcd0000u);
}

static void mov_reads(void)
{
	find_scratch();
	FORM("movb (%%rdi), %%al");
	FORM("movb 3(%%rdi), %%ah");
	FORM("movb 1(%%rdi), %%bh");
	FORM("movb 2(%%rdi), %%ch");
	FORM("movb 5(%%rdi), %%dh");
	FORM("movw 2(%%rdi), %%bx");
	FORM("movl 4(%%rdi), %%edx");
	FORM("movq (%%rdi), %%rcx");
}

static void mov_writes(void)
{
	find_scratch();
	FORM("movb %%al, (%%rdi)");
	FORM("movb %%ah, 3(%%rdi)");
	FORM("movb %%bh, 1(%%rdi)");
	FORM("movb %%ch, 2(%%rdi)");
	FORM("movb %%dh, 5(%%rdi)");
	FORM("movw %%bx, 2(%%rdi)");
	FORM("movl %%edx, 4(%%rdi)");
	FORM("movq %%rax, (%%rdi)");
}

static void mov_of_immediates(void)
{
	find_scratch();
	FORM("movb $0x5a, 1(%%rdi)");
	FORM("movw $0x5aa5, 2(%%rdi)");
	FORM("movl $0x12345678, (%%rdi)");
	FORM("movq $-2, (%%rdi)");
}

static void every_register_is_a_source(void)
{
	find_scratch();
	FORM("movq %%rax, %%r8; movl %%r8d, (%%rdi)");
	FORM("movq %%rax, %%r9; movw %%r9w, (%%rdi)");
	FORM("movq %%rax, %%r10; movb %%r10b, (%%rdi)");
	FORM("movq %%rax, %%r11; movq %%r11, (%%rdi)");
	FORM("movq %%rax, %%r12; movl %%r12d, (%%rdi)");
	FORM("movq %%rax, %%r13; movl %%r13d, (%%rdi)");
	FORM("movq %%rax, %%r14; movl %%r14d, (%%rdi)");
	FORM("movq %%rax, %%r15; movl %%r15d, (%%rdi)");
	FORM("movq %%rax, %%rsi; movb %%sil, (%%rdi)");
	FORM("movq %%rdi, %%rsi; movb %%dil, 2(%%rsi); movb $0, 2(%%rsi)");
}

static void every_register_is_a_target(void)
{
	find_scratch();
	FORM("movl (%%rdi), %%r8d; movq %%r8, %%rax");
	FORM("movq %%rax, %%r9; movw (%%rdi), %%r9w; movq %%r9, %%rax");
	FORM("movq %%rax, %%r10; movb (%%rdi), %%r10b; movq %%r10, %%rax");
	FORM("movq (%%rdi), %%r11; movq %%r11, %%rax");
	FORM("movl (%%rdi), %%r12d; movq %%r12, %%rax");
	FORM("movl (%%rdi), %%r13d; movq %%r13, %%rax");
	FORM("movl (%%rdi), %%r14d; movq %%r14, %%rax");
	FORM("movl (%%rdi), %%r15d; movq %%r15, %%rax");
	FORM("movq %%rax, %%rsi; movb (%%rdi), %%sil; movq %%rsi, %%rax");
	FORM("xchgq %%rbp, %%rax; movl (%%rdi), %%ebp; xchgq %%rbp, %%rax");
}

static void every_register_is_a_base(void)
{
	find_scratch();
	FORM("movq %%rdi, %%rax; movl (%%rax), %%ecx; xorl %%eax, %%eax");
	FORM("movq %%rdi, %%rbx; movl 4(%%rbx), %%ecx; xorl %%ebx, %%ebx");
	FORM("movq %%rdi, %%r8; movl (%%r8), %%ecx");
	FORM("movq %%rdi, %%r12; movl (%%r12), %%ecx");
	FORM("movq %%rdi, %%r13; movl (%%r13), %%ecx");
	FORM("movq %%rdi, %%r15; movl 4(%%r15), %%ecx");
	FORM("xchgq %%rdi, %%rsp; movl (%%rsp), %%eax; xchgq %%rdi, %%rsp");
	FORM("xchgq %%rdi, %%rbp; movl (%%rbp), %%eax; xchgq %%rdi, %%rbp");
}

static void addresses_are_scaled(void)
{
	find_scratch();
	FORM("movl -3(%%rdi, %%rcx, 1), %%eax");
	FORM("movl -6(%%rdi, %%rcx, 2), %%eax");
	FORM("movl -8(%%rdi, %%rcx, 4), %%eax");
	FORM("movw -0x12(%%rdi, %%rcx, 8), %%ax");
	FORM("movl $0x12345678, %%r14d; movl -0x12345674(%%rdi, %%r14, 1), %%eax");
	FORM("leaq -0x1000(%%rdi), %%r9; movl 0x1000(%%r9), %%eax");
	FORM("movq %%rdi, %%r10; addr32 movl (%%r10d), %%eax");
	FORM("movl $0, %%esi; movl (%%rdi, %%rsi, 4), %%eax");
}

static void extensions(void)
{
	find_scratch();
	FORM("movzbl 1(%%rdi), %%eax");
	FORM("movzbw 6(%%rdi), %%ax");
	FORM("movzbq 6(%%rdi), %%rax");
	FORM("movzwl 6(%%rdi), %%eax");
	FORM("movzwq (%%rdi), %%rax");
	FORM("movsbl (%%rdi), %%eax");
	FORM("movsbw (%%rdi), %%ax");
	FORM("movsbq 6(%%rdi), %%rax");
	FORM("movswl 6(%%rdi), %%eax");
	FORM("movswq 5(%%rdi), %%rax");
	FORM("movslq (%%rdi), %%rax");
	FORM("movslq 3(%%rdi), %%r9; movq %%r9, %%rax");
}

#define ARITHMETIC(name)                                              \
	do {                                                          \
		FORM(name "b %%al, 1(%%rdi)");                        \
		FORM(name "w %%ax, 2(%%rdi)");                        \
		FORM(name "l %%edx, (%%rdi)");                        \
		FORM(name "q %%rbx, (%%rdi)");                        \
		FORM(name "b 1(%%rdi), %%ah");                        \
		FORM(name "w 2(%%rdi), %%dx");                        \
		FORM(name "l (%%rdi), %%ebx");                        \
		FORM(name "q (%%rdi), %%rax");                        \
		FORM(name "b $0x91, 3(%%rdi)");                       \
		FORM(name "w $0x1234, (%%rdi)");                      \
		FORM(name "l $0x7fffffff, 4(%%rdi)");                 \
		FORM(name "l $-5, (%%rdi)");                          \
		FORM(name "q $-0x12345678, (%%rdi)");                 \
		FORM("movq %%rax, %%r11; " name "l %%r11d, (%%rdi)"); \
	} while (0)

static void add(void)
{
	find_scratch();
	ARITHMETIC("add");
}

static void or (void)
{
	find_scratch();
	ARITHMETIC("or");
}

static void adc(void)
{
	find_scratch();
	ARITHMETIC("adc");
}

static void sbb(void)
{
	find_scratch();
	ARITHMETIC("sbb");
}

static void and (void)
{
	find_scratch();
	ARITHMETIC("and");
}

static void sub(void)
{
	find_scratch();
	ARITHMETIC("sub");
}

static void xor
	(void) {
		find_scratch();
		ARITHMETIC("xor");
	}

	static void cmp(void)
{
	find_scratch();
	ARITHMETIC("cmp");
	FORM_WITH(RAX, "cmpq %%rax, (%%rdi)");
	FORM_WITH(0, "cmpl $0, (%%rdi)");
}

static void test(void)
{
	find_scratch();
	FORM("testb %%al, (%%rdi)");
	FORM("testw %%cx, (%%rdi)");
	FORM("testl %%edx, 4(%%rdi)");
	FORM("testq %%rax, (%%rdi)");
	FORM("testb $0x80, (%%rdi)");
	FORM("testw $0x8000, 1(%%rdi)");
	FORM("testl $0x100, (%%rdi)");
	FORM("testq $-1, (%%rdi)");
}

static void not_and_neg(void)
{
	find_scratch();
	FORM("notb 1(%%rdi)");
	FORM("notw (%%rdi)");
	FORM("notl 4(%%rdi)");
	FORM("notq (%%rdi)");
	FORM("negb (%%rdi)");
	FORM("negl (%%rdi)");
	FORM_WITH(0, "negq (%%rdi)");
}

static void inc_and_dec(void)
{
	find_scratch();
	FORM("incb (%%rdi)");
	FORM("incw 2(%%rdi)");
	FORM("incl (%%rdi)");
	FORM_WITH(~0ull, "incq (%%rdi)");
	FORM("decb 7(%%rdi)");
	FORM_WITH(0, "decl (%%rdi)");
	FORM("decq (%%rdi)");
}

static void bits(void)
{
	find_scratch();
	FORM("btl $3, (%%rdi)");
	FORM("btsl $4, (%%rdi)");
	FORM("btrl $7, (%%rdi)");
	FORM("btcq $63, (%%rdi)");
	FORM("btsw %%cx, (%%rdi)");
	FORM("btrl %%ecx, (%%rdi)");
	FORM("btcq %%rcx, (%%rdi)");
	FORM("movl $37, %%ecx; btsl %%ecx, (%%rdi)");
	FORM("movq $-3, %%rcx; btrl %%ecx, 4(%%rdi)");
	FORM("lock btsl $4, (%%rdi)");
}

static void exchanges(void)
{
	find_scratch();
	FORM("xchgb %%al, (%%rdi)");
	FORM("xchgb %%ch, 3(%%rdi)");
	FORM("xchgw %%ax, 2(%%rdi)");
	FORM("xchgl %%eax, (%%rdi)");
	FORM("xchgq %%rax, (%%rdi)");
	FORM("movq %%rax, %%r13; xchgl %%r13d, (%%rdi); movq %%r13, %%rax");
}

static void exchange_and_add(void)
{
	find_scratch();
	FORM("xaddb %%al, (%%rdi)");
	FORM("xaddl %%eax, (%%rdi)");
	FORM("lock xaddl %%eax, (%%rdi)");
	FORM("xaddq %%rbx, (%%rdi)");
}

static void compare_and_exchange(void)
{
	find_scratch();
	FORM("cmpxchgl %%ebx, (%%rdi)");
	FORM_WITH(RAX, "cmpxchgl %%ebx, (%%rdi)");
	FORM_WITH(RAX, "cmpxchgq %%rbx, (%%rdi)");
	FORM_WITH(RAX, "cmpxchgb %%bl, (%%rdi)");
}

static void shifts(void)
{
	find_scratch();
	FORM("shlb $1, (%%rdi)");
	FORM("shll $5, (%%rdi)");
	FORM("shrl %%cl, (%%rdi)");
	FORM("sarq $9, (%%rdi)");
	FORM("roll $3, 4(%%rdi)");
	FORM("rorw %%cl, (%%rdi)");
	FORM("rcll $1, (%%rdi)");
}

static void locked(void)
{
	find_scratch();
	FORM("lock addl $1, (%%rdi)");
	FORM("lock orl %%edx, (%%rdi)");
	FORM("lock andl %%eax, (%%rdi)");
	FORM("lock xorq %%rax, (%%rdi)");
	FORM("lock incl (%%rdi)");
}

static void conditional(void)
{
	find_scratch();
	FORM("cmpq %%rax, %%rax; cmovel (%%rdi), %%ebx");
	FORM("cmpq %%rax, %%rbx; cmovel (%%rdi), %%ebx");
	FORM("cmpq %%rax, %%rax; sete (%%rdi)");
	FORM("cmpq %%rax, %%rax; setne 2(%%rdi)");
}

static void stack(void)
{
	find_scratch();
	FORM("pushq (%%rdi); popq %%rax");
	FORM("pushq %%rax; popq (%%rdi)");
	FORM("pushw 2(%%rdi); popw %%ax");
}

static void single_strings(void)
{
	find_scratch();
	FORM("stosb");
	FORM("stosw");
	FORM("stosl");
	FORM("stosq");
	FORM("movq %%rdi, %%rsi; lodsb; leaq (%%rsi), %%rdi");
	FORM("movq %%rdi, %%rsi; lodsl; leaq (%%rsi), %%rdi");
	FORM("movq %%rdi, %%rsi; lodsq; leaq (%%rsi), %%rdi");
	FORM("scasl");
	FORM_WITH(RAX, "scasq");
}

static void repeated_strings(void)
{
	find_scratch();
	FORM("movl $8, %%ecx; rep stosb");
	FORM("movl $4, %%ecx; rep stosw");
	FORM("movl $2, %%ecx; rep stosl");
	FORM("xorl %%ecx, %%ecx; rep stosl");
	FORM("addq $6, %%rdi; std; movl $3, %%ecx; rep stosw");
	FORM("movl $8, %%ecx; movb $0x44, %%al; repne scasb");
	FORM("movl $8, %%ecx; movb $0x88, %%al; repe scasb");
}

/* Between memory and the device, in both directions; %r8 points to memory. */
#define COPY(text) FORM("movq $buffer, %%r8; " text)

static void copies(void)
{
	find_scratch();
	for (uint32_t i = 0; i < COUNT_OF(buffer); i++)
		buffer[i] = 0x0102030405060708u * (i + 1);
	COPY("movq %%r8, %%rsi; movsb");
	COPY("movq %%r8, %%rsi; movsq");
	COPY("movq %%r8, %%rsi; movl $8, %%ecx; rep movsb");
	COPY("movq %%r8, %%rsi; movl $2, %%ecx; rep movsl");
	COPY("movq %%rdi, %%rsi; xchgq %%rdi, %%r8; movsl; movl -4(%%rdi), %%ebx; movq %%r8, %%rdi");
	COPY("movq %%rdi, %%rsi; xchgq %%rdi, %%r8; movl $8, %%ecx; rep movsb; movq -8(%%rdi), %%rbx; movq %%r8, %%rdi");
	COPY("leaq 4(%%r8), %%rsi; addq $4, %%rdi; std; movl $2, %%ecx; rep movsl");
	COPY("movq %%r8, %%rsi; movl $8, %%ecx; repe cmpsb");
}

static void device_to_device(void)
{
	find_scratch();
	FORM("movq %%rdi, %%rsi; addq $4, %%rdi; movsl");
	FORM("movq %%rdi, %%rsi; addq $1, %%rdi; movl $3, %%ecx; rep movsb");
	FORM("movq %%rdi, %%rsi; addq $4, %%rdi; cmpsl");
}

static void a_table_of_sixteen_bytes(uint64_t *address)
{
	find_scratch();
	*address = device.msix_table;
	EXPECT(*address % PAGE_BYTES, 0);
	mmio64(*address) = 0x1111222233334444u;
	mmio64(*address + 8) = 0x5555666677778888u;
}

static void vectors_are_moved(void)
{
	static uint64_t found[2] __attribute__((aligned(16)));
	uint64_t table;

	a_table_of_sixteen_bytes(&table);
	__asm__ volatile("movdqu (%1), %%xmm3; movups %%xmm3, %0"
			 : "=m"(found)
			 : "r"(table)
			 : "memory");
	EXPECT(found[0], 0x1111222233334444u);
	EXPECT(found[1], 0x5555666677778888u);
	found[0] = 0xaaaabbbbccccddddu;
	found[1] = 0x0123456789abcdefu;
	__asm__ volatile("movaps %0, %%xmm7; movdqa %%xmm7, (%1)"
			 :
			 : "m"(found), "r"(table)
			 : "memory");
	EXPECT(mmio64(table), 0xaaaabbbbccccddddu);
	EXPECT(mmio64(table + 8), 0x0123456789abcdefu);
}

static void high_vectors_are_moved(void)
{
	static uint64_t found[2] __attribute__((aligned(16)));
	uint64_t table;

	a_table_of_sixteen_bytes(&table);
	__asm__ volatile("movups (%1), %%xmm12; movups %%xmm12, %0"
			 : "=m"(found)
			 : "r"(table)
			 : "memory");
	EXPECT(found[0], 0x1111222233334444u);
	EXPECT(found[1], 0x5555666677778888u);
}

static void non_temporal_stores(void)
{
	find_scratch();
	FORM("movnti %%eax, (%%rdi)");
	FORM("movnti %%rax, (%%rdi)");
}

/* near_table is at the top of the address space, so that code at its bottom reaches it: mmio_code.S. */
static void relative_to_rip(void)
{
	uint64_t table, read;

	a_table_of_sixteen_bytes(&table);
	paging_map(UINT64_C(0xffffffffe0000000), table | PTE_RW, 1);
	__asm__ volatile("movq near_table(%%rip), %0" : "=r"(read));
	EXPECT(read, 0x1111222233334444u);
	__asm__ volatile("movl $0x99aabbcc, near_table+4(%%rip)" : : : "memory");
	EXPECT(mmio32(table + 4), 0x99aabbccu);
	__asm__ volatile("addl $1, near_table+8(%%rip)" : : : "memory");
	EXPECT(mmio32(table + 8), 0x77778889u);
}

static void by_absolute_address(void)
{
	uint64_t table, rax;

	a_table_of_sixteen_bytes(&table);
	paging_map(UINT64_C(0xffffffffe0000000), table | PTE_RW, 1);
	__asm__ volatile("movabsq 0xffffffffe0000000, %%rax" : "=a"(rax));
	EXPECT(rax, 0x1111222233334444u);
	__asm__ volatile("movabsl %%eax, 0xffffffffe0000008" : : "a"(0x1234) : "memory");
	EXPECT(mmio32(table + 8), 0x1234);
	__asm__ volatile("movl 0xffffffffe0000000, %%eax" : "=a"(rax)); /* sign-extended */
	EXPECT(rax, 0x33334444u);
}

static void by_segment(void)
{
	uint64_t table, read;

	a_table_of_sixteen_bytes(&table);
	wrmsr(MSR_FS_BASE, table);
	wrmsr(MSR_GS_BASE, table - 0x100);
	__asm__ volatile("movq %%fs:0, %0" : "=r"(read));
	EXPECT(read, 0x1111222233334444u);
	__asm__ volatile("movl $7, %%gs:0x108" : : : "memory");
	EXPECT(mmio32(table + 8), 7);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
}

/* The last bytes of a page of memory, and the first of the device. */
static void over_the_edge_of_memory(void)
{
	uint8_t *page = page_take();
	uint64_t table, edge = PAGING_FREE_AT + PAGE_BYTES, read;

	a_table_of_sixteen_bytes(&table);
	paging_map(PAGING_FREE_AT, (uintptr_t)page | PTE_RW, 1);
	paging_map(edge, table | PTE_RW, 1);
	mmio32(edge - 4) = 0x0a0b0c0d;
	__asm__ volatile("movq (%1), %0" : "=r"(read) : "r"(edge - 4) : "memory");
	EXPECT(read, 0x333344440a0b0c0du);
	__asm__ volatile("movq %0, (%1)"
			 :
			 : "r"(UINT64_C(0xdeadbeefcafef00d)), "r"(edge - 4)
			 : "memory");
	EXPECT(mmio32(edge - 4), 0xcafef00du);
	EXPECT(mmio32(table), 0xdeadbeefu);
}

static void from_one_page_of_the_device_to_the_next(void)
{
	uint64_t table, edge = PAGING_FREE_AT + PAGE_BYTES, read;

	a_table_of_sixteen_bytes(&table);
	/* Before the table's page in this mapping comes one that nothing answers in. */
	paging_map(PAGING_FREE_AT, UINT64_C(0xd0000000) | PTE_RW, 1);
	paging_map(edge, table | PTE_RW, 1);
	__asm__ volatile("movq (%1), %0" : "=r"(read) : "r"(edge - 4) : "memory");
	EXPECT(read, 0x33334444ffffffffu);
	__asm__ volatile("movq %0, (%1)"
			 :
			 : "r"(UINT64_C(0x0badcafe00000000)), "r"(edge - 4)
			 : "memory");
	EXPECT(mmio32(table), 0x0badcafe);
}

static void the_instruction_may_cross_a_page(void)
{
	static const uint8_t code[] = {
		0x8b, 0x87, 0x00, 0x00, 0x00, 0x00, 0xc3
	}; /* mov 0(%rdi), %eax; ret */
	uint8_t *first = page_take(), *second = page_take();
	const uint64_t edge = PAGING_FREE_AT + PAGE_BYTES;
	uint64_t table;

	a_table_of_sixteen_bytes(&table);
	paging_map(PAGING_FREE_AT, (uintptr_t)first | PTE_PRESENT, 1);
	paging_map(edge, (uintptr_t)second | PTE_PRESENT, 1);
	for (uint32_t split = 1; split < sizeof(code) - 1; split++) {
		for (uint32_t i = 0; i < sizeof(code); i++)
			*(i < split ? &first[PAGE_BYTES - split + i] : &second[i - split]) =
				code[i];
		EXPECT(((uint32_t(*)(uint64_t))(edge - split))(table), 0x33334444);
	}
}

static void a_page_fault_comes_before_the_device(void)
{
	uint64_t table;

	a_table_of_sixteen_bytes(&table);
	/* From the device into a page that isn't there. */
	paging_map(PAGING_FREE_AT, 0, 1);
	EXPECT(TRY("movsq", : : "S"(table), "D"(PAGING_FREE_AT) : "memory"), VECTOR_PF);
	EXPECT(fault.cr2, PAGING_FREE_AT);
	EXPECT(fault.error, ERROR_WRITE);
	/* And the other way round. */
	EXPECT(TRY("movsq", : : "D"(table), "S"(PAGING_FREE_AT) : "memory"), VECTOR_PF);
	EXPECT(fault.error, 0);
	EXPECT(mmio64(table), 0x1111222233334444u);
}

/* What was done before the fault stays done, and the registers say how far it came. */
static void repeated_up_to_a_page_fault(void)
{
	const uint64_t edge = PAGING_FREE_AT + PAGE_BYTES;
	uint64_t table, count = 4, from, to = edge - 8;

	a_table_of_sixteen_bytes(&table);
	from = table;
	paging_map(PAGING_FREE_AT, (uintptr_t)page_take() | PTE_RW, 1);
	paging_map(edge, 0, 1);
	EXPECT(TRY("rep movsl", : "+S"(from), "+D"(to), "+c"(count) : : "memory"), VECTOR_PF);
	EXPECT(fault.cr2, edge);
	EXPECT(count, 2);
	EXPECT(from, table + 8);
	EXPECT(to, edge);
	EXPECT(mmio64(edge - 8), 0x1111222233334444u);
}

static void users_reach_devices_that_are_mapped_for_them(void)
{
	static const uint8_t code[] = { 0x8b, 0x07, 0x83, 0x47, 0x04, 0x05, 0xcd, 0x81 };
	uint64_t table, rsp, rip, rax;

	a_table_of_sixteen_bytes(&table);
	paging_map(PAGING_FREE_AT, table | PTE_RW | PTE_USER, 1);
	rip = paging_map_user_code(code, sizeof(code), &rsp);
	EXPECT(ring3_run(rip, rsp, PAGING_FREE_AT, &rax), VECTOR_RING3_DONE);
	EXPECT(rax, 0x33334444);
	EXPECT(mmio32(table + 4), 0x11112227);
}

static void a_read_only_device_page_faults(void)
{
	uint64_t table;

	a_table_of_sixteen_bytes(&table);
	paging_map(PAGING_FREE_AT, table | PTE_PRESENT, 1);
	write_cr0(read_cr0() | CR0_WP);
	EXPECT(TRY("movl $1, (%0)", : : "r"(PAGING_FREE_AT) : "memory"), VECTOR_PF);
	EXPECT(fault.error, ERROR_PRESENT | ERROR_WRITE);
	EXPECT(mmio32(table), 0x33334444);
}

static void where_nothing_is_all_bits_are_set(void)
{
	EXPECT(mmio8(0xd0000000), 0xff);
	EXPECT(mmio16(0xd0000010), 0xffff);
	EXPECT(mmio32(0xd0000020), UINT32_MAX);
	EXPECT(mmio64(0xd0000030), UINT64_MAX);
	mmio32(0xd0000020) = 0;
	EXPECT(mmio32(0xd0000020), UINT32_MAX);
}

static void bits_of_the_page_tables_are_set(void)
{
	uint64_t table, *entry;

	a_table_of_sixteen_bytes(&table);
	entry = paging_map(PAGING_FREE_AT, table | PTE_RW, 1);
	(void)mmio32(PAGING_FREE_AT);
	EXPECT(*entry & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED);
	mmio32(PAGING_FREE_AT) = 1;
	EXPECT(*entry & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED | PTE_DIRTY);
}

const struct test_case test_cases[] = {
	CASE(the_scratch_keeps_what_is_written),
	CASE(mov_reads),
	CASE(mov_writes),
	CASE(mov_of_immediates),
	CASE(every_register_is_a_source),
	CASE(every_register_is_a_target),
	CASE(every_register_is_a_base),
	CASE(addresses_are_scaled),
	CASE(extensions),
	CASE(add),
	CASE(or),
	CASE(adc),
	CASE(sbb),
	CASE(and),
	CASE(sub),
	CASE(xor),
	CASE(cmp),
	CASE(test),
	CASE(not_and_neg),
	CASE(inc_and_dec),
	CASE(bits),
	CASE(exchanges),
	CASE(exchange_and_add),
	CASE(compare_and_exchange),
	CASE(shifts),
	CASE(locked),
	CASE(conditional),
	CASE(stack),
	CASE(single_strings),
	CASE(repeated_strings),
	CASE(copies),
	CASE(device_to_device),
	CASE(vectors_are_moved),
	CASE(high_vectors_are_moved),
	CASE(non_temporal_stores),
	CASE(relative_to_rip),
	CASE(by_absolute_address),
	CASE(by_segment),
	CASE(over_the_edge_of_memory),
	CASE(from_one_page_of_the_device_to_the_next),
	CASE(the_instruction_may_cross_a_page),
	CASE(a_page_fault_comes_before_the_device),
	CASE(repeated_up_to_a_page_fault),
	CASE(users_reach_devices_that_are_mapped_for_them),
	CASE(a_read_only_device_page_faults),
	CASE(where_nothing_is_all_bits_are_set),
	CASE(bits_of_the_page_tables_are_set),
	{ 0 },
};
