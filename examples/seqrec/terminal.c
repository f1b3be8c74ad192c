/* seqrec tool: messages, the progress bar, signals and what the machine says about itself. */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE /* _SC_NPROCESSORS_ONLN */
#include "terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signal_seen;
static int bar_on_screen; /* so that a message does not begin in the middle of the bar */

static void erase_bar(void)
{
    if (bar_on_screen) fputs("\r\033[K", stderr);
    bar_on_screen = 0;
}

int fail(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    erase_bar();
    fputs("seqrec: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    return EXIT_WORK;
}

int usage_error(const char *command, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    erase_bar();
    fprintf(stderr, "seqrec%s%s: ", *command ? " " : "", command);
    vfprintf(stderr, format, values);
    fprintf(stderr, "\nTry 'seqrec%s%s --help'.\n", *command ? " " : "", command);
    va_end(values);
    return EXIT_USAGE;
}

static const char *message_of(const seqrec_error *error)
{
    return error->message[0] ? error->message : seqrec_status_name(error->status);
}

int fail_library(const char *doing, const seqrec_error *error)
{
    if (error->status == SEQREC_E_CANCELLED && interrupted()) {
        erase_bar();
        fprintf(stderr, "seqrec: interrupted while %s\n", doing);
        return interrupted();
    }
    return fail("%s", message_of(error));
}

static int stands_at(const char *at, const char *path, char end)
{
    const size_t bytes = strlen(path);
    return !strncmp(at, path, bytes) && at[bytes] == end;
}

/* Whether the message has the file in one of the forms of the libraries: "PATH: ...", "'PATH' ...", "cannot DO 'PATH': ...". A
 * path that merely occurs in it, as "e" does, is no name. */
static int names_file(const char *message, const char *path)
{
    const char *quote = strchr(message, '\'');
    if (stands_at(message, path, ':')) return 1;
    return quote && (quote == message || !strncmp(message, "cannot ", 7)) && stands_at(quote + 1, path, '\'');
}

int fail_file(const char *path, const char *doing, const seqrec_error *error)
{
    if (error->status == SEQREC_E_CANCELLED || names_file(error->message, path)) return fail_library(doing, error);
    return fail("%s: %s", path, message_of(error));
}

/* Whether a value on the command line is what is wrong. */
static int is_of_value(const seqrec_error *error)
{
    return error->status == SEQREC_E_ARGUMENT || error->status == SEQREC_E_RANGE ||
           error->status == SEQREC_E_UNSUPPORTED;
}

int fail_value(const char *command, const char *doing, const seqrec_error *error)
{
    return is_of_value(error) || error->status == SEQREC_E_FORMAT ? usage_error(command, "%s", error->message) : fail_library(doing, error);
}

int fail_file_value(const char *command, const char *path, const char *doing, const seqrec_error *error)
{
    return is_of_value(error) ? usage_error(command, "%s: %s", path, error->message) : fail_file(path, doing, error);
}

void remark(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    erase_bar();
    fputs("seqrec: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
}

static int hangs_up; /* SIGHUP was not ignored, as nohup has it */

static void let_signals_end_process(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (hangs_up) signal(SIGHUP, SIG_DFL);
}

/* The next signal ends the process, whichever of them it is. */
static void on_signal(int number)
{
    if (!signal_seen) signal_seen = number;
    let_signals_end_process();
}

static int catching;

static void set_handlers(int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaddset(&action.sa_mask, SIGHUP);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (hangs_up) sigaction(SIGHUP, &action, NULL);
}

void outlive_pipes(void) { signal(SIGPIPE, SIG_IGN); }

void catch_signals(void)
{
    struct sigaction before;
    hangs_up = !sigaction(SIGHUP, NULL, &before) && before.sa_handler != SIG_IGN;
    catching = 1;
    set_handlers(SA_RESTART);
}

/* Once a signal came the next one is to end the process: that is left so. */
void let_signals_end_waits(int on)
{
    if (catching && !signal_seen) set_handlers(on ? 0 : SA_RESTART);
    if (signal_seen) let_signals_end_process(); /* one came between */
}

int open_file(const char *path, int flags)
{
    int file;
    let_signals_end_waits(1);
    do file = open(path, flags, 0666);
    while (file < 0 && errno == EINTR && !interrupted());
    let_signals_end_waits(0);
    return file;
}

int interrupted(void)
{
    return signal_seen ? 128 + (int)signal_seen : 0;
}

static int wants_colour(int descriptor)
{
    const char *refused = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    return isatty(descriptor) && !(refused && *refused) && !(kind && !strcmp(kind, "dumb"));
}

const char *bold(void)
{
    return wants_colour(STDOUT_FILENO) ? "\033[1m" : "";
}

const char *plain(void)
{
    return wants_colour(STDOUT_FILENO) ? "\033[0m" : "";
}

static void draw_bar(const progress *bar, const char *stage, double share)
{
    char filled[31];
    int cells = (int)(share * 30);
    memset(filled, ' ', 30);
    memset(filled, '=', (size_t)(cells < 0 ? 0 : cells > 30 ? 30 : cells));
    filled[30] = 0;
    const char *colour = wants_colour(STDERR_FILENO) ? "\033[36m" : "";
    fprintf(stderr, "\r%s [%s%s%s] %3.0f %%\033[K", bar->label[0] ? bar->label : stage, colour, filled,
            *colour ? "\033[0m" : "", share * 100);
    fflush(stderr);
}

int32_t progress_tick(void *context, const char *stage, int64_t done, int64_t total)
{
    progress *bar = context;
    double now = now_seconds();
    if (!bar->quiet && total > 0 && isatty(STDERR_FILENO) && (now - bar->drawn > 0.1 || done >= total)) {
        draw_bar(bar, stage, (double)done / (double)total);
        bar->drawn = now;
        bar_on_screen = 1;
    }
    return interrupted() != 0;
}

void progress_clear(void)
{
    erase_bar();
}

void progress_line(progress *bar, int important, const char *format, ...)
{
    double now = now_seconds();
    if (bar->quiet || (important ? now - bar->told[1] < 2 : isatty(STDERR_FILENO) || now - bar->told[0] < 5)) return;
    va_list values;
    va_start(values, format);
    erase_bar();
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    bar->told[0] = now;
    if (important) bar->told[1] = now;
}

double now_seconds(void)
{
    struct timespec time = {0};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int64_t online_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > 256 ? 256 : count;
}

int64_t peak_resident_bytes(void)
{
    struct rusage usage;
    memset(&usage, 0, sizeof usage);
    getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
    return (int64_t)usage.ru_maxrss;
#else
    return (int64_t)usage.ru_maxrss * 1024;
#endif
}

const char *grouped(int64_t value, char out[32])
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    int at = 0;
    for (int i = 0; i < length; i++) {
        if (i && digits[i - 1] != '-' && (length - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}
