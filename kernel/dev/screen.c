/*
 * The screen: see screen.h.
 *
 * What it shows is kept as characters, so that its memory, which is slow to read, is never read: scrolling draws those that
 * differ. It scrolls by a third of its height, to do so rarely.
 *
 * Source: Multiboot2 Specification 2.0, 3.6.12 "Framebuffer info"; for the registers, IBM VGA Technical Reference, "Graphics
 * Controller" and "CRT Controller".
 */
#include <string.h>

#include "kernel/arch/io.h"
#include "kernel/boot/bootinfo.h"
#include "kernel/dev/screen.h"
#include "kernel/mem/kspace.h"
#include "lib/compiler.h"

#include "screen_font.h" /* font[95][16], from tools/font-to-c */

enum {
	COLUMNS_MAX = 160,
	ROWS_MAX = 64,
	TAB_COLUMNS = 8,
	FONT_FIRST = ' ',
	FONT_WIDTH = 8,
	FONT_HEIGHT = 16,

	VGA_TEXT_AT = 0xb8000,
	VGA_TEXT_COLUMNS = 80,
	VGA_TEXT_ROWS = 25,
	VGA_TEXT_GREY = 0x0700,
	VGA_GRAPHICS_INDEX = 0x3ce,
	VGA_GRAPHICS_MISC = 6, /* which mode, and at which address */
	VGA_MISC_MASK = 0x0d,
	VGA_MISC_TEXT = 0x0c, /* letters, at VGA_TEXT_AT */
	VGA_CRT_INDEX = 0x3d4,
	VGA_CRT_CURSOR_HIGH = 14,
	VGA_CRT_CURSOR_LOW = 15,
};

/* Two pixels, grey whichever the order of colours. */
#define PIXELS_GREY UINT64_C(0x00b0b0b000b0b0b0)

enum escape { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_SEQUENCE };

static struct {
	volatile uint8_t *memory; /* NULL: not mapped now, or no screen */
	uint32_t columns, rows;	  /* 0: no screen */
	uint32_t column, row;	  /* where the next character goes */
	enum escape escape;
	char text[ROWS_MAX][COLUMNS_MAX];
} screen;

static const struct bootinfo_screen *const given = &bootinfo.screen;

/* --- drawing --- */

static void draw_letter(uint32_t row, uint32_t column, uint8_t c)
{
	volatile uint16_t *cell = (volatile uint16_t *)(screen.memory + row * given->pitch_bytes);

	cell[column] = (uint16_t)(VGA_TEXT_GREY | c);
}

static void draw_pixels(uint32_t row, uint32_t column, uint8_t c)
{
	const uint8_t *bitmap = font[c - FONT_FIRST];
	volatile uint8_t *line = screen.memory + (uint64_t)row * FONT_HEIGHT * given->pitch_bytes +
				 column * FONT_WIDTH * sizeof(uint32_t);

	for (uint32_t y = 0; y < FONT_HEIGHT; y++, line += given->pitch_bytes)
		for (uint32_t pair = 0; pair < FONT_WIDTH / 2; pair++) {
			uint32_t bits = bitmap[y] >> (FONT_WIDTH - 2 - 2 * pair);
			uint64_t mask = (bits & 2 ? UINT32_MAX : 0) |
					(bits & 1 ? UINT64_C(0xffffffff) << 32 : 0);

			((volatile uint64_t *)line)[pair] = PIXELS_GREY & mask;
		}
}

static void draw(uint32_t row, uint32_t column)
{
	uint8_t c = (uint8_t)screen.text[row][column];

	if (!screen.memory)
		return;
	if (given->is_text)
		draw_letter(row, column, c);
	else
		draw_pixels(row, column, c);
}

static void draw_all(void)
{
	for (uint32_t row = 0; row < screen.rows; row++)
		for (uint32_t column = 0; column < screen.columns; column++)
			draw(row, column);
}

static void move_cursor(void)
{
	uint32_t at = screen.row * screen.columns + screen.column;

	if (!screen.memory || !given->is_text)
		return;
	out8(VGA_CRT_INDEX, VGA_CRT_CURSOR_HIGH);
	out8(VGA_CRT_INDEX + 1, (uint8_t)(at >> 8));
	out8(VGA_CRT_INDEX, VGA_CRT_CURSOR_LOW);
	out8(VGA_CRT_INDEX + 1, (uint8_t)at);
}

/* --- text --- */

static void set(uint32_t row, uint32_t column, char c)
{
	if (screen.text[row][column] == c)
		return;
	screen.text[row][column] = c;
	draw(row, column);
}

static void scroll(void)
{
	uint32_t by = screen.rows / 3;

	for (uint32_t row = 0; row < screen.rows; row++)
		for (uint32_t column = 0; column < screen.columns; column++)
			set(row, column,
			    row + by < screen.rows ? screen.text[row + by][column] : ' ');
	screen.row -= by;
}

static void new_line(void)
{
	screen.column = 0;
	screen.row++;
	if (screen.row == screen.rows)
		scroll();
}

static void put_character(char c)
{
	set(screen.row, screen.column, c);
	screen.column++;
	if (screen.column == screen.columns)
		new_line();
}

/* ESC and one more, or ESC [ up to a letter. */
static void skip_escape(char c)
{
	if (screen.escape == ESCAPE_BEGUN && c == '[')
		screen.escape = ESCAPE_SEQUENCE;
	else if (screen.escape == ESCAPE_BEGUN || (c >= '@' && c <= '~'))
		screen.escape = ESCAPE_NONE;
}

static void put(char c)
{
	bool is_continued = ((uint8_t)c & 0xc0) == 0x80; /* UTF-8: the first byte has shown it */

	if (screen.escape)
		skip_escape(c);
	else if (c == '\033')
		screen.escape = ESCAPE_BEGUN;
	else if (c == '\n')
		new_line();
	else if (c == '\r')
		screen.column = 0;
	else if (c == '\b')
		screen.column -= screen.column > 0;
	else if (c == '\t')
		do
			put_character(' ');
		while (screen.column % TAB_COLUMNS);
	else if (c >= ' ' && c <= '~')
		put_character(c);
	else if ((uint8_t)c >= 0x80 && !is_continued)
		put_character('?');
}

void screen_write(const char *bytes, size_t size)
{
	if (!screen.rows)
		return;
	for (size_t i = 0; i < size; i++)
		put(bytes[i]);
	move_cursor();
}

/* --- finding it --- */

/* A loader that says nothing of a screen leaves it as the firmware had it; without a VGA adapter all bits read as ones. */
static bool is_vga_text(void)
{
	out8(VGA_GRAPHICS_INDEX, VGA_GRAPHICS_MISC);
	return (in8(VGA_GRAPHICS_INDEX + 1) & VGA_MISC_MASK) == VGA_MISC_TEXT;
}

static bool is_usable(void)
{
	uint64_t width_bytes = (uint64_t)given->width * (given->is_text ? 2 : 4);

	if (!given->address || given->pitch_bytes < width_bytes)
		return false;
	return given->is_text || (given->bits_per_pixel == 32 && given->address % 8 == 0 &&
				  given->pitch_bytes % 8 == 0);
}

static uint64_t memory_bytes(void)
{
	return (uint64_t)given->height * given->pitch_bytes;
}

/* How many characters go into @size, which is in pixels unless the screen has letters. */
static uint32_t count_of(uint32_t size, uint32_t pixels, uint32_t max)
{
	return (uint32_t)min_u64(given->is_text ? size : size / pixels, max);
}

void screen_init(void)
{
	if (bootinfo.is_screen_unknown && is_vga_text())
		bootinfo.screen = (struct bootinfo_screen){ .address = VGA_TEXT_AT,
							    .pitch_bytes = VGA_TEXT_COLUMNS * 2,
							    .width = VGA_TEXT_COLUMNS,
							    .height = VGA_TEXT_ROWS,
							    .is_text = true };
	if (!is_usable())
		return;
	screen.columns = count_of(given->width, FONT_WIDTH, COLUMNS_MAX);
	screen.rows = count_of(given->height, FONT_HEIGHT, ROWS_MAX);
	memset(screen.text, ' ', sizeof(screen.text));
	if (given->address + memory_bytes() > BOOTINFO_MAPPED_END)
		return;
	screen.memory = (volatile uint8_t *)given->address;
	draw_all();
}

void screen_map(void)
{
	bool was_drawn = screen.memory;

	if (!screen.rows)
		return;
	/* Without PTE_PWT, the firmware's choice of write-combining holds for pixels, if it has made one. */
	screen.memory = kspace_map(hpa(given->address), memory_bytes(), PTE_WRITE | PTE_PCD);
	if (!was_drawn)
		draw_all();
}
