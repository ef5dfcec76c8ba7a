/*
 * Between the kernel and ring 3's memory: see user.h. SMAP is open just for the one instruction.
 */
#include "kernel/arch/paging.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/fixup.h"
#include "kernel/mem/user.h"

static bool is_users(uint64_t address, size_t size)
{
	return size <= USER_END && address <= USER_END - size;
}

static void open_smap(void)
{
	if (cpu_features.has_smap)
		__asm__ volatile("stac" : : : "memory");
}

static void close_smap(void)
{
	if (cpu_features.has_smap)
		__asm__ volatile("clac" : : : "memory");
}

/* Returns how many bytes are left undone: not 0 after a fault that couldn't be helped. */
static size_t copy(void *to, const void *from, size_t size)
{
	size_t words = size / 8, bytes = size % 8;

	open_smap();
	__asm__ volatile("1: rep movsq\n\t"
			 "mov %[bytes], %%rcx\n"
			 "2: rep movsb\n\t"
			 "xor %[bytes], %[bytes]\n\t"
			 "jmp 4f\n"
			 "3: lea 1(%%rcx), %[bytes]\n"
			 "4:\n\t" FIXUP(1b, 3b) FIXUP(2b, 3b)
			 : "+D"(to), "+S"(from), "+c"(words), [bytes] "+&r"(bytes)
			 :
			 : "memory");
	close_smap();
	return bytes;
}

int copy_from_user(void *to, uint64_t from, size_t size)
{
	if (!is_users(from, size))
		return -EFAULT;
	return copy(to, (const void *)from, size) ? -EFAULT : 0;
}

int copy_to_user(uint64_t to, const void *from, size_t size)
{
	if (!is_users(to, size))
		return -EFAULT;
	return copy((void *)to, from, size) ? -EFAULT : 0;
}

int zero_user(uint64_t to, size_t size)
{
	static const uint8_t zeroes[256];
	size_t step;

	for (; size; size -= step, to += step) {
		step = size < sizeof(zeroes) ? size : sizeof(zeroes);
		if (copy_to_user(to, zeroes, step))
			return -EFAULT;
	}
	return 0;
}

int copy_string_from_user(char *to, uint64_t from, size_t size)
{
	for (size_t length = 0; length < size; length++) {
		if (copy_from_user(&to[length], from + length, 1))
			return -EFAULT;
		if (!to[length])
			return (int)length;
	}
	return -ENAMETOOLONG;
}

/* A fault at user_words_read goes on right behind it by entry.S, without a look at anything: with @found as it is. */
bool user_words_hold(const struct user_word *words, uint32_t count)
{
	const struct user_word *word = words, *end = words + count;
	uint64_t found;

	open_smap();
	do {
		found = ~word->value;
		__asm__ volatile(".global user_words_read, user_words_fault\n"
				 "user_words_read: movq (%[at]), %[found]\n"
				 "user_words_fault:"
				 : [found] "+r"(found)
				 : [at] "r"(word->at)
				 : "memory");
	} while (found == word->value && ++word < end);
	close_smap();
	return word == end;
}

int user_word_load(uint32_t *value, uint64_t address)
{
	uint32_t loaded = 0;
	int err = 0;

	if (address % 4 || !is_users(address, 4))
		return address % 4 ? -EINVAL : -EFAULT;
	open_smap();
	__asm__ volatile("1: movl (%[address]), %[loaded]\n\t"
			 "jmp 3f\n"
			 "2: movl %[fault], %[err]\n"
			 "3:\n\t" FIXUP(1b, 2b)
			 : [loaded] "+r"(loaded), [err] "+r"(err)
			 : [address] "r"(address), [fault] "i"(-EFAULT)
			 : "memory");
	close_smap();
	*value = loaded;
	return err;
}

int user_word_exchange(uint64_t address, uint32_t expected, uint32_t desired, uint32_t *found)
{
	int err = 0;

	if (address % 4 || !is_users(address, 4))
		return address % 4 ? -EINVAL : -EFAULT;
	open_smap();
	__asm__ volatile("1: lock cmpxchgl %[desired], (%[address])\n\t"
			 "jmp 3f\n"
			 "2: movl %[fault], %[err]\n"
			 "3:\n\t" FIXUP(1b, 2b)
			 : "+a"(expected), [err] "+r"(err)
			 : [address] "r"(address), [desired] "r"(desired), [fault] "i"(-EFAULT)
			 : "memory");
	close_smap();
	*found = expected;
	return err;
}
