/* seqrec tool: the training curve as an SVG, in colours that can be read on a light and on a dark ground. */
#include "svg_curve.h"
#include "terminal.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 720, HEIGHT = 400, LEFT = 64, RIGHT = 656, TOP = 48, BOTTOM = 344 };

#define GREY "#808890"
#define LOSS_COLOUR "#2f80c8"
#define METRIC_COLOUR "#d9722e"

/* One axis: what it spans and the distance of its ticks. */
typedef struct axis {
    double low, high, step;
} axis;

/* Widens [low, high] to whole steps of 1, 2 or 5 times a power of ten, about `ticks` of them. */
static axis make_axis(double low, double high, int ticks, double least_step)
{
    if (!(high > low)) {
        double room = low != 0 ? fabs(low) * 0.1 : 1;
        low -= room;
        high += room;
    }
    double raw = (high - low) / ticks;
    double power = pow(10, floor(log10(raw)));
    double part = raw / power;
    double step = power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
    step = step < least_step ? least_step : step;
    return (axis){floor(low / step) * step, ceil(high / step) * step, step};
}

static double at_x(const axis *x, double value)
{
    return LEFT + (RIGHT - LEFT) * (value - x->low) / (x->high - x->low);
}

static double at_y(const axis *y, double value)
{
    return BOTTOM - (BOTTOM - TOP) * (value - y->low) / (y->high - y->low);
}

static double series_value(const seqrec_epoch_stats *epoch, int metric)
{
    return metric ? epoch->metric : epoch->loss;
}

/* 0 when no value of the series is finite. */
static int series_axis(const seqrec_epoch_stats *epochs, int64_t count, int metric, axis *out)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        double value = series_value(&epochs[i], metric);
        if (isfinite(value)) {
            low = fmin(low, value);
            high = fmax(high, value);
        }
    }
    if (low > high) return 0;
    *out = make_axis(low, high, 5, 0);
    return 1;
}

static void draw_x_axis(FILE *to, const axis *x)
{
    for (double value = x->low; value <= x->high + x->step / 2; value += x->step)
        fprintf(to,
                "<path d=\"M%.1f %d v5\" stroke=\"" GREY
                "\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n",
                at_x(x, value), BOTTOM, at_x(x, value), BOTTOM + 20, value);
    fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">epoch</text>\n", (LEFT + RIGHT) / 2, BOTTOM + 42);
}

static void draw_y_axis(FILE *to, const axis *y, int metric)
{
    int edge = metric ? RIGHT : LEFT;
    for (int i = 0; y->low + i * y->step <= y->high + y->step / 2; i++) {
        double value = y->low + i * y->step;
        if (!metric)
            fprintf(to, "<path d=\"M%d %.1f H%d\" stroke=\"" GREY "\" stroke-opacity=\"0.25\"/>\n", LEFT,
                    at_y(y, value), RIGHT);
        fprintf(to, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%.6g</text>\n", edge + (metric ? 8 : -8),
                at_y(y, value) + 4, metric ? "start" : "end", metric ? METRIC_COLOUR : LOSS_COLOUR,
                fabs(value) < y->step * 1e-6 ? 0 : value);
    }
}

static void draw_series(FILE *to, const seqrec_epoch_stats *epochs, int64_t count, const axis *x, const axis *y,
                        int metric)
{
    const char *colour = metric ? METRIC_COLOUR : LOSS_COLOUR;
    fprintf(to, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", colour);
    for (int64_t i = 0; i < count; i++)
        if (isfinite(series_value(&epochs[i], metric)))
            fprintf(to, "%.1f,%.1f ", at_x(x, (double)epochs[i].epoch), at_y(y, series_value(&epochs[i], metric)));
    fputs("\"/>\n", to);
    for (int64_t i = 0; i < count && metric; i++)
        if (isfinite(epochs[i].metric))
            fprintf(to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\"/>\n", at_x(x, (double)epochs[i].epoch),
                    at_y(y, epochs[i].metric), epochs[i].improved ? 4 : 2, colour);
}

static void write_escaped(FILE *to, const char *text)
{
    for (; *text; text++) switch (*text) {
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '&':
            fputs("&amp;", to);
            break;
        default:
            fputc(*text, to);
        }
}

static void draw_heading(FILE *to, const char *title, const char *metric)
{
    fprintf(to, "<text x=\"%d\" y=\"20\" font-weight=\"bold\">", LEFT);
    write_escaped(to, title);
    fprintf(to, "</text>\n<text x=\"%d\" y=\"38\" fill=\"" LOSS_COLOUR "\">loss</text>\n", LEFT);
    fprintf(to, "<text x=\"%d\" y=\"38\" text-anchor=\"end\" fill=\"" METRIC_COLOUR "\">", RIGHT);
    write_escaped(to, metric ? metric : "");
    fputs("</text>\n", to);
}

static void draw(FILE *to, const seqrec_epoch_stats *epochs, int64_t count, const char *metric, const char *title)
{
    axis x = make_axis(count ? (double)epochs[0].epoch : 0, count ? (double)epochs[count - 1].epoch : 1, 8, 1);
    axis loss = {0}, valid = {0};
    int has_loss = series_axis(epochs, count, 0, &loss);
    int has_valid = series_axis(epochs, count, 1, &valid);
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"12\" fill=\"" GREY "\">\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    draw_heading(to, title, has_valid ? metric : NULL);
    draw_x_axis(to, &x);
    fprintf(to, "<path d=\"M%d %d V%d H%d V%d\" fill=\"none\" stroke=\"" GREY "\"/>\n", LEFT, TOP, BOTTOM, RIGHT,
            has_valid ? TOP : BOTTOM);
    if (has_loss) {
        draw_y_axis(to, &loss, 0);
        draw_series(to, epochs, count, &x, &loss, 0);
    }
    if (has_valid) {
        draw_y_axis(to, &valid, 1);
        draw_series(to, epochs, count, &x, &valid, 1);
    }
    fputs("</svg>\n", to);
}

int write_curve(const char *path, const seqrec_epoch_stats *epochs, int64_t count, const char *metric,
                const char *title)
{
    FILE *to = fopen(path, "w");
    if (!to) return fail("%s: %s", path, strerror(errno));
    draw(to, epochs, count, metric, title);
    int broken = ferror(to);
    if (fclose(to) || broken) return fail("%s: cannot be written", path);
    return 0;
}
