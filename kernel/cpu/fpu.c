/*
 * Floating-point and vector registers: see fpu.h. (AMD APM vol. 2, 11.5 "Extended State Management".)
 */
#include <asm/sigcontext.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/fpu.h"
#include "kernel/mem/object.h"

#define X87_AND_SSE UINT64_C(0x3)
#define AVX	    UINT64_C(0x4)
#define AVX512	    UINT64_C(0xe0)

enum {
	LEGACY_BYTES = 512, /* what FXSAVE stores */
	HEADER_BYTES = 64,
	UPPER_HALVES_AT = 576, /* of AVX's registers: every processor has them there */
	HALF_BYTES = 16,
	X87_CONTROL = 0x37f, /* no exceptions, extended precision */
	MXCSR = 0x1f80,
	MXCSR_MASK_USUAL = 0xffbf,
};

struct fpu {
	struct _fpstate_64 legacy;
	struct _xstate_header {
		uint64_t xstate_bv, xcomp_bv, reserved[6];
	} header; /* and the rest */
};
static_assert(sizeof(struct fpu) == LEGACY_BYTES + HEADER_BYTES, "XSAVE's standard format");

static uint64_t features; /* 0: no XSAVE here */
static size_t bytes = LEGACY_BYTES;
static uint32_t mxcsr_mask = MXCSR_MASK_USUAL;

/* AVX-512 is useless in part, and needs AVX. */
static uint64_t choose_features(void)
{
	struct cpuid known = cpuid(0xd, 0);
	uint64_t supported = known.eax | (uint64_t)known.edx << 32, chosen = X87_AND_SSE;

	chosen |= supported & AVX;
	if ((supported & AVX) && (supported & AVX512) == AVX512)
		chosen |= AVX512;
	return chosen;
}

void fpu_init_cpu(void)
{
	static struct fpu now __attribute__((aligned(64)));

	if (cpu_features.has_xsave) {
		features = choose_features();
		fpu_set_xcr0(features);
		bytes = cpuid(0xd, 0).ebx; /* for what XCR0 has */
	}
	__asm__ volatile("fninit\n\tfxsave64 %0" : "=m"(now.legacy));
	if (now.legacy.mxcsr_mask)
		mxcsr_mask = now.legacy.mxcsr_mask;
}

size_t fpu_bytes(void)
{
	return bytes;
}

uint64_t fpu_features(void)
{
	return features;
}

static void reset(struct fpu *fpu)
{
	memset(fpu, 0, bytes < sizeof(*fpu) ? sizeof(*fpu) : bytes);
	fpu->legacy.cwd = X87_CONTROL;
	fpu->legacy.mxcsr = MXCSR;
	fpu->header.xstate_bv = features & X87_AND_SSE;
}

struct fpu *fpu_create(void)
{
	/* Aligned to 64, as XSAVE wants: pieces of that size are aligned to a power of two. */
	struct fpu *fpu = kmalloc(bytes < sizeof(*fpu) ? sizeof(*fpu) : bytes);

	if (fpu)
		reset(fpu);
	return fpu;
}

void fpu_destroy(struct fpu *fpu)
{
	kfree(fpu);
}

void fpu_save(struct fpu *fpu)
{
	if (features)
		__asm__ volatile("xsave64 (%0)"
				 :
				 : "r"(fpu), "a"(UINT32_MAX), "d"(UINT32_MAX)
				 : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(fpu) : "memory");
}

void fpu_load(const struct fpu *fpu)
{
	if (features)
		__asm__ volatile("xrstor64 (%0)"
				 :
				 : "r"(fpu), "a"(UINT32_MAX), "d"(UINT32_MAX)
				 : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(fpu) : "memory");
}

void fpu_restart(struct fpu *fpu)
{
	uint64_t flags = irq_save();

	reset(fpu);
	fpu_load(fpu);
	irq_restore(flags);
}

bool fpu_is_valid(const struct fpu *fpu)
{
	uint64_t reserved = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(fpu->header.reserved); i++)
		reserved |= fpu->header.reserved[i];
	return !(fpu->legacy.mxcsr & ~mxcsr_mask) && !(fpu->header.xstate_bv & ~features) &&
	       !fpu->header.xcomp_bv && !reserved;
}

struct _fpstate_64 *fpu_legacy(struct fpu *fpu)
{
	uint64_t missing = features & X87_AND_SSE & ~fpu->header.xstate_bv;
	struct _fpstate_64 *legacy = &fpu->legacy;

	/* What counts as untouched may have any bytes. */
	if (missing & 1) {
		memset(legacy, 0, offsetof(struct _fpstate_64, mxcsr));
		memset(legacy->st_space, 0, sizeof(legacy->st_space));
		legacy->cwd = X87_CONTROL;
	}
	if (missing & 2)
		memset(legacy->xmm_space, 0, sizeof(legacy->xmm_space));
	fpu->header.xstate_bv |= missing;
	return legacy;
}

/* The upper half of a 32-byte register, if the processor has such. */
static uint8_t *upper_half(const struct fpu *fpu, uint32_t number)
{
	return (uint8_t *)(uintptr_t)fpu + UPPER_HALVES_AT + number * HALF_BYTES;
}

void fpu_get_vector(const struct fpu *fpu, uint32_t number, void *to, uint32_t size)
{
	memcpy(to, &fpu->legacy.xmm_space[number * 4], min_u64(size, HALF_BYTES));
	if (size <= HALF_BYTES || !(features & AVX))
		return;
	if (fpu->header.xstate_bv & AVX)
		memcpy((uint8_t *)to + HALF_BYTES, upper_half(fpu, number), HALF_BYTES);
	else
		memset((uint8_t *)to + HALF_BYTES, 0, HALF_BYTES);
}

void fpu_set_vector(struct fpu *fpu, uint32_t number, const void *from, uint32_t size)
{
	fpu->header.xstate_bv |= features & X87_AND_SSE;
	memcpy(&fpu->legacy.xmm_space[number * 4], from, min_u64(size, HALF_BYTES));
	if (size <= HALF_BYTES || !(features & AVX))
		return;
	if (!(fpu->header.xstate_bv & AVX))
		memset(upper_half(fpu, 0), 0, HALF_BYTES * 16);
	fpu->header.xstate_bv |= AVX;
	memcpy(upper_half(fpu, number), (const uint8_t *)from + HALF_BYTES, HALF_BYTES);
}

void fpu_sanitize(struct fpu *fpu)
{
	fpu->legacy.mxcsr &= mxcsr_mask;
	fpu->header.xstate_bv &= features;
	fpu->header.xcomp_bv = 0;
	memset(fpu->header.reserved, 0, sizeof(fpu->header.reserved));
}
