/* seqrec tool: messages, the progress bar, signals and what the machine says about itself. */
#ifndef SEQREC_TOOL_TERMINAL_H
#define SEQREC_TOOL_TERMINAL_H
#include <seqrec.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LIKE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define LIKE_PRINTF(text, first)
#endif

enum { EXIT_WORK = 1, EXIT_USAGE = 2 };

/* "seqrec: TEXT" on stderr; returns EXIT_WORK. */
int fail(const char *format, ...) LIKE_PRINTF(1, 2);
/* "seqrec COMMAND: TEXT" and a hint on stderr; returns EXIT_USAGE. */
int usage_error(const char *command, const char *format, ...) LIKE_PRINTF(2, 3);
/* Tells a library failure and returns the exit code: 130 (143) when a signal asked to stop, else EXIT_WORK. */
int fail_library(const char *doing, const seqrec_error *error);
/* The same for a failure with the file at `path`, whose name it puts before the message where that lacks it. */
int fail_file(const char *path, const char *doing, const seqrec_error *error);
/* The same as fail_library, but EXIT_USAGE when the status is one that a value on the command line causes, E_FORMAT of a text that cannot be
 * read among them. */
int fail_value(const char *command, const char *doing, const seqrec_error *error);
/* The same as fail_value of a file, which the message names as that of fail_file does. */
int fail_file_value(const char *command, const char *path, const char *doing, const seqrec_error *error);
/* A remark on stderr, below or above the progress bar. */
void remark(const char *format, ...) LIKE_PRINTF(1, 2);

/* SIGINT, SIGTERM and SIGHUP raise a flag; a second one ends the process at once. */
void catch_signals(void);
/* Nobody who stops to read ends the process: writing to them fails. */
void outlive_pipes(void);
/* 1: a signal that is caught also ends a system call that waits, which fails with EINTR then; 0: such calls go on, as writing
 * should. */
void let_signals_end_waits(int on);
/* open, with mode 0666. A pipe waits for whoever is at its other end, until a signal that is caught: -1 and EINTR then. */
int open_file(const char *path, int flags);
/* 0, or the exit code (128 + signal) once a signal came. */
int interrupted(void);

/* State of the progress display on stderr; zero it, or set quiet. */
typedef struct progress {
    int quiet;
    char label[96]; /* stands before the bar; empty: the stage */
    double drawn;   /* when the bar was drawn last */
    double told[2]; /* when a line was written last: any, an important one */
} progress;

/* A seqrec_progress_fn whose context is a progress; answers 1 once a signal came. */
int32_t progress_tick(void *context, const char *stage, int64_t done, int64_t total);
/* Takes the bar away before something else is written. */
void progress_clear(void);
/* A lasting line, at most one every two seconds; one that is not `important` only where stderr is no terminal, every five. */
void progress_line(progress *bar, int important, const char *format, ...) LIKE_PRINTF(3, 4);

/* Escape sequences for results on stdout, empty unless it is a terminal and NO_COLOR is unset. */
const char *bold(void);
const char *plain(void);

double now_seconds(void);
int64_t online_processors(void);
int64_t peak_resident_bytes(void);
/* 1,234,567 in out; returns out. */
const char *grouped(int64_t value, char out[32]);
#endif
