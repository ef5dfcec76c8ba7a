/*
 * Kernels that tests make up: see kernel_image.h.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/support/kernel_image.h"

enum { NOTE_PHYS32_ENTRY = 18 };

void image_file_create(struct image_file *file, const void *bytes, size_t size)
{
	ssize_t put;

	file->fd = memfd_create("image", MFD_CLOEXEC);
	assert(file->fd >= 0);
	put = write(file->fd, bytes, size);
	assert(put == (ssize_t)size);
	snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
}

void image_file_close(struct image_file *file)
{
	close(file->fd);
}

static void fill(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 5 % 253);
}

void bzimage_init(struct bzimage *kernel)
{
	*kernel = (struct bzimage){
		.header = { .setup_sects = 1,
			    .syssize = sizeof(kernel->payload) / 16,
			    .boot_flag = 0xaa55,
			    .header = 0x53726448,
			    .version = 0x020f,
			    .loadflags = LOADED_HIGH,
			    .initrd_addr_max = 0x7fffffff,
			    .xloadflags = XLF_KERNEL_64,
			    .pref_address = BZIMAGE_PREFERRED_AT,
			    .init_size = BZIMAGE_INIT_BYTES },
	};
	fill(kernel->payload, sizeof(kernel->payload));
}

void bzimage_lay_out(const struct bzimage *kernel, uint8_t image[BZIMAGE_BYTES])
{
	memset(image, 0, BZIMAGE_BYTES);
	memcpy(image + offsetof(struct boot_params, hdr), &kernel->header, sizeof(kernel->header));
	memcpy(image + BZIMAGE_SETUP_BYTES, kernel->payload, sizeof(kernel->payload));
}

static struct pvh_note make_note(void)
{
	return (struct pvh_note){
		.header = { .n_namesz = 4, .n_descsz = 8, .n_type = NOTE_PHYS32_ENTRY },
		.owner = "Xen",
		.entry = PVH_ENTRY,
	};
}

void pvh64_init(struct pvh64 *kernel)
{
	*kernel = (struct pvh64){
		.elf = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
			 .e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_phoff = offsetof(struct pvh64, segment),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 2 },
		.segment = { .p_type = PT_LOAD,
			     .p_offset = offsetof(struct pvh64, code),
			     .p_paddr = PVH_LOADED_AT,
			     .p_filesz = sizeof(kernel->code),
			     .p_memsz = PVH_MEMORY_BYTES },
		.note_segment = { .p_type = PT_NOTE,
				  .p_offset = offsetof(struct pvh64, note),
				  .p_filesz = sizeof(kernel->note) },
		.note = make_note(),
	};
	fill(kernel->code, sizeof(kernel->code));
}

void pvh32_init(struct pvh32 *kernel)
{
	*kernel = (struct pvh32){
		.elf = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB },
			 .e_type = ET_EXEC,
			 .e_machine = EM_386,
			 .e_phoff = offsetof(struct pvh32, segment),
			 .e_phentsize = sizeof(Elf32_Phdr),
			 .e_phnum = 2 },
		.segment = { .p_type = PT_LOAD,
			     .p_offset = offsetof(struct pvh32, code),
			     .p_paddr = PVH_LOADED_AT,
			     .p_filesz = sizeof(kernel->code),
			     .p_memsz = PVH_MEMORY_BYTES },
		.note_segment = { .p_type = PT_NOTE,
				  .p_offset = offsetof(struct pvh32, note),
				  .p_filesz = sizeof(kernel->note) },
		.note = make_note(),
	};
	fill(kernel->code, sizeof(kernel->code));
}
