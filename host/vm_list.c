/*
 * The VMs of this host: see vm_list.h.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/vm_list.h"

struct vm *vm_list_find(const struct vm_list *list, const char *name)
{
	for (size_t i = 0; i < list->nr_vms; i++)
		if (!strcmp(list->vms[i]->name, name))
			return list->vms[i];
	return NULL;
}

static struct vm *find_path(const struct vm_list *list, const char *path)
{
	for (size_t i = 0; i < list->nr_vms; i++)
		if (!strcmp(list->vms[i]->path, path))
			return list->vms[i];
	return NULL;
}

static void PRINTF_LIKE(2, 3) tell(const struct vm_list *list, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	list->problem(list->context, text);
}

/* Takes @vm. */
static void list_add(struct vm_list *list, struct vm *vm)
{
	const struct vm *other = vm_list_find(list, vm->name);
	struct vm **vms = NULL;

	if (other)
		tell(list, "%s: the name \"%s\" is taken by %s", vm->path, vm->name, other->path);
	else
		vms = realloc(list->vms, (list->nr_vms + 1) * sizeof(struct vm *));
	if (!vms) {
		vm_destroy(vm);
		return;
	}
	list->vms = vms;
	list->vms[list->nr_vms++] = vm;
	vm->is_listed = true;
	vm_load(vm);
}

static void take_file(struct vm_list *list, const char *name)
{
	char path[4096];
	struct vm *vm;

	snprintf(path, sizeof(path), "%s/%s", list->folder, name);
	vm = find_path(list, path);
	if (vm) {
		vm->is_listed = true;
		return;
	}
	vm = vm_create(list->host, path);
	if (vm)
		list_add(list, vm);
	else
		tell(list, "%s: no memory for another VM", path);
}

static void forget_vanished(struct vm_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->nr_vms; i++) {
		struct vm *vm = list->vms[i];

		if (vm->is_listed || vm_is_busy(vm))
			list->vms[kept++] = vm;
		else
			vm_destroy(vm);
	}
	list->nr_vms = kept;
}

static int is_document(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && suffix && !strcmp(suffix, ".json");
}

int vm_list_reload(struct vm_list *list, struct errmsg *why)
{
	struct dirent **entries;
	int nr_entries;

	nr_entries = scandir(list->folder, &entries, is_document, alphasort);
	if (nr_entries < 0)
		return errmsg_user(why, -errno, "%s: can't be read: %s", list->folder,
				   strerror(errno));
	for (size_t i = 0; i < list->nr_vms; i++)
		list->vms[i]->is_listed = false;
	for (int i = 0; i < nr_entries; i++) {
		take_file(list, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	forget_vanished(list);
	return 0;
}

void vm_list_destroy(struct vm_list *list)
{
	for (size_t i = 0; i < list->nr_vms; i++)
		vm_destroy(list->vms[i]);
	free(list->vms);
	list->vms = NULL;
	list->nr_vms = 0;
}
