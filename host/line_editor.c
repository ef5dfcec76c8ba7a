/*
 * A line typed at a terminal: see line_editor.h.
 */
#include <stdio.h>
#include <string.h>

#include "host/line_editor.h"
#include "lib/compiler.h"

#define CTRL(letter) ((letter)&0x1f)

static void show(struct line_editor *editor, const char *text)
{
	editor->ops->show(editor->context, text, strlen(text));
}

void line_editor_hide(struct line_editor *editor)
{
	show(editor, "\r\033[K");
}

static void set_line(struct line_editor *editor, const char *text)
{
	editor->length = min_u64(strlen(text), LINE_BYTES - 1);
	memmove(editor->line, text, editor->length);
	editor->line[editor->length] = '\0';
	editor->cursor = editor->length;
}

static void begin_line(struct line_editor *editor)
{
	editor->is_finished = false;
	editor->back = 0;
	set_line(editor, "");
}

void line_editor_show(struct line_editor *editor)
{
	char back[32];

	if (editor->is_finished)
		begin_line(editor);
	line_editor_hide(editor);
	show(editor, editor->prompt);
	show(editor, editor->line);
	if (editor->cursor == editor->length)
		return;
	snprintf(back, sizeof(back), "\033[%zuD", editor->length - editor->cursor);
	show(editor, back);
}

/* ---- edits ---- */

static void insert(struct line_editor *editor, const char *bytes, size_t n)
{
	if (editor->length + n >= LINE_BYTES)
		return;
	memmove(editor->line + editor->cursor + n, editor->line + editor->cursor,
		editor->length + 1 - editor->cursor);
	memcpy(editor->line + editor->cursor, bytes, n);
	editor->length += n;
	editor->cursor += n;
}

/* Removes [start, end). */
static void cut(struct line_editor *editor, size_t start, size_t end)
{
	memmove(editor->line + start, editor->line + end, editor->length + 1 - end);
	editor->length -= end - start;
	editor->cursor = start;
}

static size_t word_start(const struct line_editor *editor)
{
	size_t start = editor->cursor;

	while (start && editor->line[start - 1] == ' ')
		start--;
	while (start && editor->line[start - 1] != ' ')
		start--;
	return start;
}

/* ---- history ---- */

static char *remembered(struct line_editor *editor, size_t back)
{
	return editor->history[(editor->nr_history - back) % LINE_HISTORY];
}

static void remember(struct line_editor *editor)
{
	if (!editor->length)
		return;
	if (editor->nr_history && !strcmp(remembered(editor, 1), editor->line))
		return;
	memcpy(editor->history[editor->nr_history++ % LINE_HISTORY], editor->line, LINE_BYTES);
}

static void go_back(struct line_editor *editor, size_t back)
{
	if (back > min_u64(editor->nr_history, LINE_HISTORY))
		return;
	editor->back = back;
	set_line(editor, back ? remembered(editor, back) : "");
}

static void go_forth(struct line_editor *editor)
{
	if (editor->back)
		go_back(editor, editor->back - 1);
}

/* ---- keys ---- */

static void complete(struct line_editor *editor)
{
	char more[LINE_BYTES];
	size_t n = editor->ops->complete(editor->context, editor->line, editor->cursor, more,
					 sizeof(more));

	insert(editor, more, n);
}

static void backspace(struct line_editor *editor)
{
	if (editor->cursor)
		cut(editor, editor->cursor - 1, editor->cursor);
}

static void delete (struct line_editor *editor)
{
	if (editor->cursor < editor->length)
		cut(editor, editor->cursor, editor->cursor + 1);
}

static void left(struct line_editor *editor)
{
	editor->cursor -= editor->cursor > 0;
}

static void right(struct line_editor *editor)
{
	editor->cursor += editor->cursor < editor->length;
}

static void edit(struct line_editor *editor, char key)
{
	switch (key) {
	case CTRL('A'):
		editor->cursor = 0;
		break;
	case CTRL('B'):
		left(editor);
		break;
	case CTRL('E'):
		editor->cursor = editor->length;
		break;
	case CTRL('F'):
		right(editor);
		break;
	case CTRL('D'):
		delete (editor);
		break;
	case CTRL('H'):
	case 0x7f:
		backspace(editor);
		break;
	case CTRL('I'):
		complete(editor);
		break;
	case CTRL('K'):
		cut(editor, editor->cursor, editor->length);
		break;
	case CTRL('N'):
		go_forth(editor);
		break;
	case CTRL('P'):
		go_back(editor, editor->back + 1);
		break;
	case CTRL('U'):
		cut(editor, 0, editor->cursor);
		break;
	case CTRL('W'):
		cut(editor, word_start(editor), editor->cursor);
		break;
	default:
		if ((unsigned char)key >= ' ')
			insert(editor, &key, 1);
		break;
	}
}

/* ESC [ 3 ~ and the like */
static char letter_of_number(unsigned number)
{
	switch (number) {
	case 1:
	case 7:
		return 'H';
	case 3:
		return 'P';
	case 4:
	case 8:
		return 'F';
	default:
		return '\0';
	}
}

/* ESC [ A, ESC O A: the last byte says which key it was. */
static void edit_by_sequence(struct line_editor *editor, char last)
{
	switch (last == '~' ? letter_of_number(editor->parameter) : last) {
	case 'A':
		go_back(editor, editor->back + 1);
		break;
	case 'B':
		go_forth(editor);
		break;
	case 'C':
		right(editor);
		break;
	case 'D':
		left(editor);
		break;
	case 'H':
		editor->cursor = 0;
		break;
	case 'F':
		editor->cursor = editor->length;
		break;
	case 'P':
		delete (editor);
		break;
	default:
		break;
	}
}

static void take_digit(struct line_editor *editor, char digit)
{
	if (editor->key_state == KEY_SEQUENCE && editor->parameter < 100)
		editor->parameter = editor->parameter * 10 + (unsigned)(digit - '0');
}

/* Returns whether the key is part of an escape sequence. */
static bool take_escape(struct line_editor *editor, char key)
{
	switch (editor->key_state) {
	case KEY_PLAIN:
		if (key == '\033')
			editor->key_state = KEY_ESCAPE;
		return key == '\033';
	case KEY_ESCAPE:
		editor->key_state = key == '[' || key == 'O' ? KEY_SEQUENCE : KEY_PLAIN;
		editor->parameter = 0;
		return true;
	case KEY_SEQUENCE:
	case KEY_REST:
		if (key == ';') {
			editor->key_state = KEY_REST;
		} else if (key >= '0' && key <= '9') {
			take_digit(editor, key);
		} else {
			editor->key_state = KEY_PLAIN;
			edit_by_sequence(editor, key);
		}
		return true;
	}
	return false;
}

static enum line_result finish(struct line_editor *editor, enum line_result result)
{
	if (editor->cursor != editor->length) {
		editor->cursor = editor->length;
		line_editor_show(editor);
	}
	editor->is_finished = true;
	return result;
}

/* A letter at the end of the line is by far the most frequent key, and needs no new drawing. */
static bool is_appended(const struct line_editor *editor, char key)
{
	return (unsigned char)key >= ' ' && key != 0x7f && editor->cursor == editor->length;
}

enum line_result line_editor_key(struct line_editor *editor, char key)
{
	if (editor->is_finished)
		begin_line(editor);

	if (take_escape(editor, key)) {
		if (editor->key_state == KEY_PLAIN)
			line_editor_show(editor);
		return LINE_UNFINISHED;
	}
	if (key == '\r' || key == '\n') {
		remember(editor);
		return finish(editor, LINE_FINISHED);
	}
	if (key == CTRL('C'))
		return finish(editor, LINE_INTERRUPTED);
	if (key == CTRL('D') && !editor->length)
		return finish(editor, LINE_ENDED);

	if (is_appended(editor, key)) {
		insert(editor, &key, 1);
		editor->ops->show(editor->context, &key, 1);
	} else {
		edit(editor, key);
		line_editor_show(editor);
	}
	return LINE_UNFINISHED;
}

void line_editor_init(struct line_editor *editor, const char *prompt,
		      const struct line_editor_ops *ops, void *context)
{
	editor->prompt = prompt;
	editor->ops = ops;
	editor->context = context;
	editor->key_state = KEY_PLAIN;
	editor->nr_history = 0;
	begin_line(editor);
}
