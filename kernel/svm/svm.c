/*
 * AMD's virtualization: see svm.h.
 */
#include <errno.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "kernel/mem/frame.h"
#include "kernel/svm/svm.h"

#define MSR_VM_CR	0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u

enum {
	VM_CR_SVM_DISABLED = 1 << 4,
	LEAF_SVM_EDX_NESTED_PAGING = 1 << 0,
	LEAF_SVM_EDX_NEXT_RIP = 1 << 3,
	LEAF_SVM_EDX_FLUSH_BY_ASID = 1 << 6,
	LEAF_SVM_EDX_PAUSE_FILTER = 1 << 10,
	LEAF_SVM_EDX_PAUSE_THRESHOLD = 1 << 12,
	LEAF_EXTENDED_EDX_RDTSCP = 1 << 27,
};

#define LEAF_SVM 0x8000000au

struct svm_features svm_features;

struct svm_cpu svm_cpus[CPUS_MAX];

int svm_init(const char **why)
{
	struct cpuid leaf;

	if (!cpu_features.has_svm) {
		*why = cpu_features.has_vmx
			       ? "the processor has Intel's VT-x, which this kernel doesn't use yet"
			       : "the processor has no AMD-V (SVM), or shows none: look for it in the firmware's "
				 "set-up, or use another machine";
		return -ENODEV;
	}
	if (rdmsr(MSR_VM_CR) & VM_CR_SVM_DISABLED) {
		*why = "AMD-V (SVM) is switched off; switch it on in the firmware's set-up";
		return -ENODEV;
	}
	leaf = cpuid(LEAF_SVM, 0);
	svm_features = (struct svm_features){
		.has_nested_paging = leaf.edx & LEAF_SVM_EDX_NESTED_PAGING,
		.has_next_rip = leaf.edx & LEAF_SVM_EDX_NEXT_RIP,
		.has_flush_by_asid = leaf.edx & LEAF_SVM_EDX_FLUSH_BY_ASID,
		.has_pause_filter = leaf.edx & LEAF_SVM_EDX_PAUSE_FILTER,
		.has_pause_threshold = leaf.edx & LEAF_SVM_EDX_PAUSE_THRESHOLD,
		.has_tsc_aux = cpuid(0x80000001u, 0).edx & LEAF_EXTENDED_EDX_RDTSCP,
		.nr_asids = leaf.ebx,
	};
	if (!svm_features.has_nested_paging) {
		*why = "the processor's AMD-V has no nested paging; use another machine";
		return -ENODEV;
	}
	print("virtualization: AMD-V with nested paging, %u address space ids",
	      svm_features.nr_asids);
	return 0;
}

void svm_init_cpu(void)
{
	void *save_area = page_alloc();
	void *host = page_alloc();

	if (!save_area || !host)
		panic("CPU %u: no memory for virtualization", this_cpu()->id);
	svm_cpus[this_cpu()->id].host_vmcb = direct_hpa(host);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, direct_hpa(save_area).v);
}
