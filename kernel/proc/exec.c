/*
 * Putting a program into an address space: static ELF, at fixed addresses or position-independent.
 *
 * Source: System V ABI, AMD64 supplement, 3.4 "Process Initialization"; ELF, "Program Loading".
 */
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/stat.h>
#include <string.h>

#include "kernel/arch/random.h"
#include "kernel/arch/regs.h"
#include "kernel/cpu/fpu.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"

#define PIE_BASE	UINT64_C(0x0000555500000000)
#define PIE_RANDOM_BITS 28 /* pages */
#define STACK_TOP	UINT64_C(0x00007ffffffff000)
#define STACK_MAX_BYTES (UINT64_C(8) << 20)
#define STACK_RANDOM	(UINT64_C(1) << 30)

/* What a handler needs of a stack beside the registers of the FPU: its frame, a red zone, what alignment takes. */
enum { SIGNAL_FRAME_BYTES = 1024 };

enum { HEADERS_MAX = 32, AUX_MAX = 20, RANDOM_BYTES = 16 };

struct image {
	struct mm *mm;
	struct node *program;
	Elf64_Ehdr header;
	Elf64_Phdr headers[HEADERS_MAX];
	uint64_t bias; /* added to every address of a position-independent program */
	uint64_t end;  /* of the highest segment: where the heap begins */
	uint64_t headers_at;
};

static int read_headers(struct image *image)
{
	Elf64_Ehdr *header = &image->header;
	int err;

	if (!S_ISREG(image->program->mode) || !(image->program->mode & 0111))
		return -EACCES;
	err = memobj_read(image->program->content, 0, header, sizeof(*header));
	if (err)
		return err == -EINVAL ? -ENOEXEC : err;
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64 ||
	    (header->e_type != ET_EXEC && header->e_type != ET_DYN) ||
	    header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > HEADERS_MAX)
		return -ENOEXEC;
	err = memobj_read(image->program->content, header->e_phoff, image->headers,
			  header->e_phnum * sizeof(Elf64_Phdr));
	return err == -EINVAL ? -ENOEXEC : err;
}

static uint32_t area_flags(const Elf64_Phdr *segment)
{
	return (segment->p_flags & PF_R ? AREA_READ : 0u) |
	       (segment->p_flags & PF_W ? AREA_WRITE : 0u) |
	       (segment->p_flags & PF_X ? AREA_EXEC : 0u);
}

static int map_piece(struct image *image, uint64_t start, uint64_t end, uint32_t flags,
		     struct memobj *object, uint64_t offset)
{
	const struct mm_request request = {
		.address = start,
		.size_bytes = end - start,
		.flags = flags | AREA_NO_HUGE,
		.is_fixed = true,
		.is_exclusive = true,
		.object = object,
		.offset = offset,
	};
	uint64_t at;

	if (start == end)
		return 0;
	return mm_map(image->mm, &request, &at);
}

/* The file's part, and zeroes behind it. */
static int map_segment(struct image *image, const Elf64_Phdr *segment)
{
	uint64_t start = image->bias + segment->p_vaddr, page = start & ~(PAGE_BYTES - 1);
	uint64_t file_end = start + segment->p_filesz, end = start + segment->p_memsz;
	uint64_t pages_end = align_up(end, PAGE_BYTES);
	uint64_t file_pages_end = segment->p_filesz ? align_up(file_end, PAGE_BYTES) : page;
	int err;

	if (segment->p_filesz > segment->p_memsz || range_wraps(start, segment->p_memsz) ||
	    end > USER_END || (segment->p_vaddr ^ segment->p_offset) % PAGE_BYTES)
		return -ENOEXEC;
	err = map_piece(image, page, file_pages_end, area_flags(segment), image->program->content,
			segment->p_offset & ~(PAGE_BYTES - 1));
	if (!err && pages_end > file_pages_end)
		err = map_piece(image, file_pages_end, pages_end, area_flags(segment), NULL, 0);
	if (err)
		return err;
	if (end > image->end)
		image->end = end;
	if (segment->p_offset <= image->header.e_phoff &&
	    image->header.e_phoff < segment->p_offset + segment->p_filesz)
		image->headers_at = start + image->header.e_phoff - segment->p_offset;
	return 0;
}

static int map_segments(struct image *image)
{
	for (uint32_t i = 0; i < image->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &image->headers[i];
		int err = 0;

		if (segment->p_type == PT_INTERP)
			return -ENOEXEC; /* a dynamic program: there is no linker here */
		if (segment->p_type == PT_LOAD && segment->p_memsz)
			err = map_segment(image, segment);
		if (err)
			return err;
	}
	return image->end ? 0 : -ENOEXEC;
}

/* A page of the file whose end is the segment's zeroes. The address space is the caller's own by now. */
static int zero_tails(const struct image *image)
{
	for (uint32_t i = 0; i < image->header.e_phnum; i++) {
		const Elf64_Phdr *segment = &image->headers[i];
		uint64_t file_end = image->bias + segment->p_vaddr + segment->p_filesz;
		uint64_t zeroes_end = min_u64(align_up(file_end, PAGE_BYTES),
					      image->bias + segment->p_vaddr + segment->p_memsz);

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_W) || !segment->p_filesz)
			continue;
		if (zeroes_end > file_end && zero_user(file_end, zeroes_end - file_end))
			return -ENOMEM;
	}
	return 0;
}

/* --- the stack --- */

struct stack {
	uint64_t at; /* grows down */
	int err;
};

static uint64_t push(struct stack *stack, const void *bytes, size_t size)
{
	stack->at -= size;
	if (!stack->err)
		stack->err = copy_to_user(stack->at, bytes, size);
	return stack->at;
}

static void push_word(struct stack *stack, uint64_t word)
{
	push(stack, &word, sizeof(word));
}

/* The vector of pointers to the @count strings that begin at @strings; returns where the next ones begin. */
static void push_pointers(struct stack *stack, const struct exec_strings *strings, uint32_t first,
			  uint32_t count, uint64_t strings_at)
{
	uint64_t top = stack->at - (count + 1) * sizeof(uint64_t), zero = 0, at;
	uint32_t offset = 0;

	stack->at = top;
	for (uint32_t i = 0; i < first + count; i++) {
		at = strings_at + offset;
		if (i >= first && !stack->err)
			stack->err = copy_to_user(top + (i - first) * sizeof(at), &at, sizeof(at));
		offset += (uint32_t)strlen(strings->bytes + offset) + 1;
	}
	if (!stack->err)
		stack->err = copy_to_user(top + count * sizeof(zero), &zero, sizeof(zero));
}

static int build_stack(const struct image *image, const struct exec_strings *strings, uint64_t top,
		       uint64_t *out)
{
	struct stack stack = { .at = top - 64 };
	uint8_t seed[RANDOM_BYTES];
	uint64_t strings_at, seed_at, platform_at;
	uint64_t aux[2 * AUX_MAX];
	uint32_t n = 0, words;

	random_bytes(seed, sizeof(seed));
	strings_at = push(&stack, strings->bytes, strings->nr_bytes);
	platform_at = push(&stack, "x86_64", sizeof("x86_64"));
	seed_at = push(&stack, seed, sizeof(seed));
	stack.at &= ~UINT64_C(15);

#define AUX(type, value) (aux[n++] = (type), aux[n++] = (value))
	AUX(AT_PHDR, image->headers_at);
	AUX(AT_PHENT, sizeof(Elf64_Phdr));
	AUX(AT_PHNUM, image->header.e_phnum);
	AUX(AT_PAGESZ, PAGE_BYTES);
	AUX(AT_BASE, 0);
	AUX(AT_FLAGS, 0);
	AUX(AT_ENTRY, image->bias + image->header.e_entry);
	AUX(AT_UID, 0);
	AUX(AT_EUID, 0);
	AUX(AT_GID, 0);
	AUX(AT_EGID, 0);
	AUX(AT_SECURE, 0);
	AUX(AT_CLKTCK, 100);
	AUX(AT_HWCAP, cpuid(1, 0).edx);
	AUX(AT_HWCAP2, 0);
	AUX(AT_MINSIGSTKSZ, fpu_bytes() + SIGNAL_FRAME_BYTES);
	AUX(AT_PLATFORM, platform_at);
	AUX(AT_RANDOM, seed_at);
	AUX(AT_EXECFN, strings_at);
	AUX(AT_NULL, 0);
#undef AUX

	/* argc, argv, envp and aux, with the stack aligned to 16 at argc. */
	words = 1 + strings->nr_args + 1 + strings->nr_env + 1 + n;
	if (words % 2)
		push_word(&stack, 0);
	push(&stack, aux, n * sizeof(aux[0]));
	push_pointers(&stack, strings, strings->nr_args, strings->nr_env, strings_at);
	push_pointers(&stack, strings, 0, strings->nr_args, strings_at);
	push_word(&stack, strings->nr_args);
	*out = stack.at;
	return stack.err;
}

static int map_stack(struct image *image, uint64_t *top)
{
	*top = STACK_TOP - (random_u64() % STACK_RANDOM & ~(PAGE_BYTES - 1));
	return map_piece(image, *top - STACK_MAX_BYTES, *top, AREA_READ | AREA_WRITE | AREA_STACK,
			 NULL, 0);
}

int exec_load(struct mm *mm, struct node *program, const struct exec_strings *strings,
	      struct trap_frame *out)
{
	struct image *image = kmalloc(sizeof(*image));
	uint64_t top, stack = 0;
	int err;

	if (!image)
		return -ENOMEM;
	image->mm = mm;
	image->program = program;
	err = read_headers(image);
	if (!err && image->header.e_type == ET_DYN)
		image->bias = PIE_BASE + (random_u64() >> (64 - PIE_RANDOM_BITS)) * PAGE_BYTES;
	if (!err)
		err = map_segments(image);
	if (!err)
		err = map_stack(image, &top);
	if (!err) {
		mm->brk_start = mm->brk = align_up(image->end, PAGE_BYTES);
		err = zero_tails(image);
	}
	if (!err)
		err = build_stack(image, strings, top, &stack);
	*out = (struct trap_frame){
		.rip = image->bias + image->header.e_entry,
		.cs = SELECTOR_USER_CODE | RPL_USER,
		.rflags = X86_EFLAGS_IF | X86_EFLAGS_FIXED,
		.rsp = stack,
		.ss = SELECTOR_USER_DATA | RPL_USER,
		.vector = TRAP_FRAME_WHOLE,
	};
	kfree(image);
	return err;
}

void trap_return(void);

void enter_user_frame(const struct trap_frame *frame)
{
	irq_disable();
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "jmp trap_return"
			 :
			 : "r"(frame)
			 : "memory");
	__builtin_unreachable();
}
