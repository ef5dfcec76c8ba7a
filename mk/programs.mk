# Which sources make which program. A folder's sources are its .c files: no lists to keep.

lib_sources := $(wildcard lib/*.c)
base_sources := $(wildcard base/*.c)
vmm_sources := $(wildcard vmm/*.c vmm/*/*.c)

host_sources := $(wildcard host/*.c)

programs := $(BUILD)/bhvm $(BUILD)/bhd

# The kernel's parts that touch no hardware.
kernel_testable := $(wildcard kernel/virt/insn*.c kernel/kvm/lapic*.c kernel/kvm/apic*.c) \
		   $(addprefix kernel/kvm/,cpuid.c cpuid_policy.c events.c ioeventfd_table.c memslot.c msrs.c mtrr.c \
			pvclock_scale.c routing.c) kernel/virt/walk.c kernel/mem/frame.c \
		   $(addprefix kernel/acpi/,sdt.c madt.c mcfg.c fadt.c hpet.c s5.c) \
		   kernel/dev/cmos_time.c kernel/dev/pci_capability.c kernel/block/gpt.c kernel/block/disk.c kernel/block/nvme_controller.c \
		   kernel/proc/bpf.c kernel/boot/bootinfo.c kernel/sched/runq.c \
		   $(addprefix kernel/net/,packet.c checksum.c offload.c segment.c queue.c fdb.c bridge.c)

# Everything but main(): what the tests link.
vmm_testable := $(filter-out vmm/main.c,$(vmm_sources)) $(base_sources) $(lib_sources)
host_testable := $(filter-out host/main.c,$(host_sources)) $(base_sources) $(lib_sources)

$(BUILD)/bhvm: $(call ring3_objects,$(vmm_sources) $(base_sources) $(lib_sources))
	$(call say,LD,$@)$(CC) $(ring3_link) $^ -ljansson -lpthread -o $@

$(BUILD)/bhd: $(call ring3_objects,$(host_sources) $(base_sources) $(lib_sources))
	$(call say,LD,$@)$(CC) $(ring3_link) $^ -ljansson -lpthread -o $@

# The guests' ACPI machine description, from ASL to a C array.
$(BUILD)/gen/dsdt.h: vmm/boot/dsdt.asl tools/bytes-to-c | $(packages)
	$(call say,IASL,$<)mkdir -p $(@D) && \
	iasl -p $(BUILD)/gen/dsdt $< > $(BUILD)/gen/dsdt.log 2>&1 || { cat $(BUILD)/gen/dsdt.log; exit 1; }; \
	tools/bytes-to-c dsdt_aml $(BUILD)/gen/dsdt.aml > $@

acpi_objects := $(foreach flavour,ring3 unit fuzz,$(BUILD)/$(flavour)/vmm/boot/acpi.o)
$(acpi_objects): $(BUILD)/gen/dsdt.h
