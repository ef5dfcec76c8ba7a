/*
 * A line, typed at a terminal that shows nothing by itself.
 *
 *   Backspace, arrows, Home, End, Ctrl-A E U K W   edit
 *   Up, Down                                       lines typed before
 *   Tab                                            completes
 *   Ctrl-L                                         draws the line anew
 *
 * Keys in, bytes for the terminal out; knows nothing else of the world.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { LINE_BYTES = 512, LINE_HISTORY = 32 };

enum line_result {
	LINE_UNFINISHED,
	LINE_FINISHED,	  /* line_editor.line is it; the next key begins another */
	LINE_INTERRUPTED, /* Ctrl-C: what was typed is gone */
	LINE_ENDED,	  /* Ctrl-D on an empty line */
};

struct line_editor_ops {
	void (*show)(void *context, const char *bytes, size_t n);

	/*
	 * What may come after the first @length bytes of @line, to be inserted. Shows the choices by
	 * itself if there are several, after line_editor_hide(). Returns the length of @out.
	 */
	size_t (*complete)(void *context, const char *line, size_t length, char *out,
			   size_t out_size);
};

/* Initialise with line_editor_init(). */
struct line_editor {
	const struct line_editor_ops *ops;
	void *context;
	const char *prompt;
	char line[LINE_BYTES];
	size_t length, cursor;
	enum { KEY_PLAIN, KEY_ESCAPE, KEY_SEQUENCE, KEY_REST } key_state;
	unsigned parameter; /* the first of the escape sequence being read */
	bool is_finished;
	char history[LINE_HISTORY][LINE_BYTES]; /* a ring */
	size_t nr_history;			/* ever */
	size_t back;				/* how far back in it; 0: a new line */
};

void line_editor_init(struct line_editor *editor, const char *prompt,
		      const struct line_editor_ops *ops, void *context);

enum line_result line_editor_key(struct line_editor *editor, char key);

/* The prompt with what was typed so far, and how to take it off the screen again. */
void line_editor_show(struct line_editor *editor);
void line_editor_hide(struct line_editor *editor);
