/*
 * ELF kernels with a PVH entry: an ELF note names a 32-bit physical entry point, and a structure in memory
 * describes the machine.
 *
 * Source: Xen's "x86/HVM direct boot ABI" (docs/misc/pvh) and its public start_info.h for the layout.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "vmm/boot/layout.h"
#include "vmm/boot/loader.h"

enum {
	NOTE_PHYS32_ENTRY = 18, /* XEN_ELFNOTE_PHYS32_ENTRY */
	START_MAGIC = 0x336ec578,
	START_VERSION = 1,
	PROGRAM_HEADERS_MAX = 64,
	NOTES_BYTES_MAX = 4096,
};

/* The start info, as the ABI lays it out. */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr, memmap_paddr;
	uint32_t memmap_entries, reserved;
};
static_assert(sizeof(struct start_info) == 56, "ABI");

struct start_module {
	uint64_t paddr, size, cmdline_paddr, reserved;
};
static_assert(sizeof(struct start_module) == 32, "ABI");

struct start_memmap {
	uint64_t addr, size;
	uint32_t type, reserved;
};
static_assert(sizeof(struct start_memmap) == 24, "ABI");

enum {
	INFO_AT = BOOT_PVH_INFO_AT,
	MODULE_AT = INFO_AT + 0x40,
	MEMMAP_AT = MODULE_AT + 0x40,
};

/* A kernel while it is loaded. Program headers of both ELF classes are read into the 64-bit form. */
struct elf {
	const struct image *image;
	uint32_t nr_headers;
	Elf64_Phdr headers[PROGRAM_HEADERS_MAX];
	uint64_t entry; /* from the note; 0: none */
	uint64_t end;	/* of what was loaded, and of what the first megabyte holds */
};

bool pvh_probe(const uint8_t *head, size_t bytes)
{
	return bytes >= sizeof(Elf32_Ehdr) && !memcmp(head, ELFMAG, SELFMAG);
}

static void widen(const Elf32_Phdr *narrow, Elf64_Phdr *wide)
{
	*wide = (Elf64_Phdr){
		.p_type = narrow->p_type,
		.p_offset = narrow->p_offset,
		.p_paddr = narrow->p_paddr,
		.p_filesz = narrow->p_filesz,
		.p_memsz = narrow->p_memsz,
		.p_align = narrow->p_align,
	};
}

static int read_headers64(struct elf *elf, struct errmsg *why)
{
	Elf64_Ehdr header;
	int err = image_read(elf->image, 0, &header, sizeof(header), why);

	if (err)
		return err;
	if (header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
	    header.e_phnum > PROGRAM_HEADERS_MAX)
		return errmsg_user(why, -EINVAL,
				   "%s: expected an x86-64 ELF kernel, found another ELF",
				   elf->image->path);
	elf->nr_headers = header.e_phnum;
	return image_read(elf->image, header.e_phoff, elf->headers,
			  header.e_phnum * sizeof(Elf64_Phdr), why);
}

static int read_headers32(struct elf *elf, struct errmsg *why)
{
	Elf32_Ehdr header;
	Elf32_Phdr narrow;
	int err = image_read(elf->image, 0, &header, sizeof(header), why);

	if (err)
		return err;
	if ((header.e_machine != EM_386 && header.e_machine != EM_X86_64) ||
	    header.e_phentsize != sizeof(Elf32_Phdr) || header.e_phnum > PROGRAM_HEADERS_MAX)
		return errmsg_user(why, -EINVAL,
				   "%s: expected an x86 ELF kernel, found another ELF",
				   elf->image->path);
	elf->nr_headers = header.e_phnum;
	for (uint32_t i = 0; i < header.e_phnum; i++) {
		err = image_read(elf->image, header.e_phoff + i * sizeof(narrow), &narrow,
				 sizeof(narrow), why);
		if (err)
			return err;
		widen(&narrow, &elf->headers[i]);
	}
	return 0;
}

static int read_headers(struct elf *elf, struct errmsg *why)
{
	uint8_t ident[EI_NIDENT];
	int err = image_read(elf->image, 0, ident, sizeof(ident), why);

	if (err)
		return err;
	if (ident[EI_DATA] != ELFDATA2LSB)
		return errmsg_user(why, -EINVAL, "%s: expected a little-endian ELF kernel",
				   elf->image->path);
	return ident[EI_CLASS] == ELFCLASS32 ? read_headers32(elf, why) : read_headers64(elf, why);
}

/* One note at @at of @notes: takes the entry if it is the one. Returns where the next begins; 0 at the end. */
static uint32_t note_next(struct elf *elf, const uint8_t *notes, uint32_t bytes, uint32_t at)
{
	static const char owner[] = "Xen";
	Elf64_Nhdr note;
	uint64_t name_at, desc_at, next;

	if (bytes - at < sizeof(note))
		return 0;
	memcpy(&note, notes + at, sizeof(note));
	name_at = at + sizeof(note);
	desc_at = name_at + align_up(note.n_namesz, 4);
	next = desc_at + align_up(note.n_descsz, 4);
	if (desc_at + note.n_descsz > bytes)
		return 0;
	if (note.n_type == NOTE_PHYS32_ENTRY && note.n_namesz == sizeof(owner) &&
	    !memcmp(notes + name_at, owner, sizeof(owner)) && note.n_descsz >= 4)
		memcpy(&elf->entry, notes + desc_at, note.n_descsz >= 8 ? 8 : 4);
	return next < bytes ? (uint32_t)next : 0;
}

static int read_notes(struct elf *elf, const Elf64_Phdr *header, struct errmsg *why)
{
	uint32_t bytes = (uint32_t)min_u64(header->p_filesz, NOTES_BYTES_MAX);
	uint8_t notes[NOTES_BYTES_MAX];
	uint32_t at = 0;
	int err = image_read(elf->image, header->p_offset, notes, bytes, why);

	if (err)
		return err;
	do {
		at = note_next(elf, notes, bytes, at);
	} while (at && !elf->entry);
	return 0;
}

static int check_segment(const struct elf *elf, const Elf64_Phdr *header, struct errmsg *why)
{
	unsigned long long bytes = header->p_memsz, at = header->p_paddr;

	if (header->p_filesz > header->p_memsz)
		return errmsg_user(
			why, -EINVAL,
			"%s: expected a segment's file bytes to fit its memory, found %llu for %llu",
			elf->image->path, (unsigned long long)header->p_filesz, bytes);
	if (range_wraps(header->p_paddr, header->p_memsz))
		return errmsg_user(
			why, -EINVAL,
			"%s: expected its segments inside 64 bits, found one of %llu bytes at %#llx",
			elf->image->path, bytes, at);
	if (header->p_paddr < HIGH_RAM_START)
		return errmsg_user(
			why, -EINVAL,
			"%s: expected its segments at or above 1 MiB, found one of %llu bytes at %#llx",
			elf->image->path, bytes, at);
	return 0;
}

static int load_segment(struct elf *elf, const Elf64_Phdr *header,
			const struct guest_memory *memory, struct errmsg *why)
{
	uint64_t end = header->p_paddr + header->p_memsz;
	uint8_t *target;
	int err;

	err = check_segment(elf, header, why);
	if (err)
		return err;
	target = memory_at(memory, gpa(header->p_paddr), header->p_memsz);
	if (!target)
		return errmsg_user(
			why, -EINVAL,
			"%s: the kernel reaches up to %llu MiB, where the VM's %llu MiB of memory "
			"have no room",
			elf->image->path, (unsigned long long)(align_up(end, 1u << 20) >> 20),
			(unsigned long long)(memory->size_bytes >> 20));
	/* Where there are no bytes in the file, the offset means nothing. */
	if (header->p_filesz)
		err = image_read(elf->image, header->p_offset, target, header->p_filesz, why);
	if (err)
		return err;
	/* After a reset the memory isn't zero. */
	memset(target + header->p_filesz, 0, header->p_memsz - header->p_filesz);
	if (end > elf->end)
		elf->end = end;
	return 0;
}

static int load_segments(struct elf *elf, const struct guest_memory *memory, struct errmsg *why)
{
	int err = 0;

	for (uint32_t i = 0; i < elf->nr_headers && !err; i++) {
		const Elf64_Phdr *header = &elf->headers[i];

		if (header->p_type == PT_NOTE)
			err = read_notes(elf, header, why);
		else if (header->p_type == PT_LOAD && header->p_memsz)
			err = load_segment(elf, header, memory, why);
	}
	return err;
}

static int write_memmap(const struct boot_request *request)
{
	struct start_memmap entries[MEMMAP_MAX] = { 0 };

	for (uint32_t i = 0; i < request->map->count; i++)
		entries[i] = (struct start_memmap){
			.addr = request->map->entries[i].start,
			.size = request->map->entries[i].size_bytes,
			.type = request->map->entries[i].type,
		};
	return memory_write(request->memory, gpa(MEMMAP_AT), entries, sizeof(entries));
}

static int write_start_info(const struct boot_request *request, const struct boot_initrd *initrd)
{
	struct start_module module = { .paddr = initrd->at, .size = initrd->size_bytes };
	struct start_info info = {
		.magic = START_MAGIC,
		.version = START_VERSION,
		.nr_modules = initrd->size_bytes ? 1 : 0,
		.modlist_paddr = initrd->size_bytes ? MODULE_AT : 0,
		.cmdline_paddr = BOOT_CMDLINE_AT,
		.rsdp_paddr = request->rsdp,
		.memmap_paddr = MEMMAP_AT,
		.memmap_entries = request->map->count,
	};
	int err;

	err = memory_write(request->memory, gpa(INFO_AT), &info, sizeof(info));
	if (!err)
		err = memory_write(request->memory, gpa(MODULE_AT), &module, sizeof(module));
	return err ? err : write_memmap(request);
}

int pvh_load(const struct boot_request *request, struct boot_entry *out, struct errmsg *why)
{
	struct elf elf = { .image = &request->source->kernel, .end = HIGH_RAM_START };
	struct boot_initrd initrd;
	int err;

	err = read_headers(&elf, why);
	if (!err)
		err = load_segments(&elf, request->memory, why);
	if (err)
		return err;
	if (!elf.entry || elf.entry > UINT32_MAX)
		return errmsg_user(
			why, -EINVAL,
			"%s: expected an ELF kernel with a PVH entry (a Xen note of type 18), found none",
			elf.image->path);
	err = initrd_load(request, elf.end, UINT32_MAX, &initrd, why);
	if (!err)
		err = write_start_info(request, &initrd);
	if (err)
		return err;
	*out = (struct boot_entry){ .protocol = BOOT_PVH,
				    .address = elf.entry,
				    .argument = INFO_AT };
	return 0;
}
