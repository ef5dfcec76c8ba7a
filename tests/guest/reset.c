/*
 * Says that it is up, then resets the machine in the way that the command line names: triple, i8042, cf9,
 * port92; or writes to the console for ever: flood; or powers off.
 */
#include "tests/guest/payload.h"

static void triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing;

	__asm__ volatile("lidt %0; int3" : : "m"(nothing));
}

void payload_main(const char *words)
{
	print("payload: up\n");
	if (has_word(words, "triple"))
		triple_fault();
	if (has_word(words, "i8042"))
		outb(0x64, 0xfe);
	if (has_word(words, "cf9"))
		outb(0xcf9, 6);
	if (has_word(words, "port92"))
		outb(0x92, 1);
	while (has_word(words, "flood"))
		print("0123456789012345678901234567890123456789012345678901234567890123456789012345678\n");
}
