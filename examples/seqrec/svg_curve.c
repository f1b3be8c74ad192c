/* seqrec tool: a curve as an SVG, in colours that can be read on a light and on a dark ground. */
#include "svg_curve.h"
#include "output_file.h"
#include "utf8.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TICKS = 100 };
enum { WIDTH = 720, HEIGHT = 400, LEFT = 64, RIGHT = 656, TOP = 48, BOTTOM = 344 };

#define GREY "#808890"
#define LEFT_COLOUR "#2f80c8"
#define RIGHT_COLOUR "#d9722e"

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

/* Where a value of x lies on its axis. */
static double along(const curve *of, double x)
{
    return of->x_log ? log10(x) : x;
}

static axis make_x_axis(const curve *of)
{
    return make_axis(of->count ? along(of, of->x[0]) : 0, of->count ? along(of, of->x[of->count - 1]) : 1, 8, 1);
}

/* 0 when there is no series or none of its values is finite. */
static int make_y_axis(const curve *of, const curve_series *series, axis *out)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; series->y && i < of->count; i++) {
        if (isfinite(series->y[i])) {
            low = fmin(low, series->y[i]);
            high = fmax(high, series->y[i]);
        }
    }
    if (low > high) return 0;
    *out = make_axis(low, high, 5, 0);
    return 1;
}

/* Tick i of an axis; 0 behind the last. They are counted, as a step that is small beside the values may add nothing to them. */
static int find_tick(const axis *of, int i, double *value)
{
    *value = of->low + i * of->step;
    return i < MOST_TICKS && *value <= of->high + of->step / 2;
}

static void draw_x_axis(FILE *to, const curve *of, const axis *x)
{
    double value;
    for (int i = 0; find_tick(x, i, &value); i++)
        fprintf(to,
                "<path d=\"M%.1f %d v5\" stroke=\"" GREY
                "\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.9g</text>\n",
                at_x(x, value), BOTTOM, at_x(x, value), BOTTOM + 20, of->x_log ? pow(10, value) : value);
    fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", (LEFT + RIGHT) / 2, BOTTOM + 42,
            of->x_name);
    if (of->has_mark)
        fprintf(to, "<path d=\"M%.1f %d V%d\" stroke=\"" GREY "\" stroke-dasharray=\"4 4\"/>\n",
                at_x(x, along(of, of->mark)), TOP, BOTTOM);
}

static void draw_y_axis(FILE *to, const axis *y, int right)
{
    int edge = right ? RIGHT : LEFT;
    double value;
    for (int i = 0; find_tick(y, i, &value); i++) {
        if (!right)
            fprintf(to, "<path d=\"M%d %.1f H%d\" stroke=\"" GREY "\" stroke-opacity=\"0.25\"/>\n", LEFT,
                    at_y(y, value), RIGHT);
        fprintf(to, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%.6g</text>\n", edge + (right ? 8 : -8),
                at_y(y, value) + 4, right ? "start" : "end", right ? RIGHT_COLOUR : LEFT_COLOUR,
                fabs(value) < y->step * 1e-6 ? 0 : value);
    }
}

static void draw_series(FILE *to, const curve *of, const curve_series *series, const axis *x, const axis *y,
                        const char *colour)
{
    fprintf(to, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", colour);
    for (int64_t i = 0; i < of->count; i++)
        if (isfinite(series->y[i])) fprintf(to, "%.1f,%.1f ", at_x(x, along(of, of->x[i])), at_y(y, series->y[i]));
    fputs("\"/>\n", to);
    for (int64_t i = 0; i < of->count && series->best; i++)
        if (isfinite(series->y[i]))
            fprintf(to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\"/>\n", at_x(x, along(of, of->x[i])),
                    at_y(y, series->y[i]), series->best[i] ? 4 : 2, colour);
}

/* Control characters but for tab and line ends, and U+FFFE and U+FFFF, are none of XML. */
static int is_xml(const char *at, size_t length)
{
    const int control = length == 1 && (unsigned char)*at < 0x20 && !strchr("\t\n\r", *at);
    const int mark = length == 3 && (!memcmp(at, "\xEF\xBF\xBE", 3) || !memcmp(at, "\xEF\xBF\xBF", 3));
    return length > 0 && !control && !mark;
}

/* What XML cannot have becomes U+FFFD. */
static void write_escaped(FILE *to, const char *text)
{
    while (*text) {
        const size_t length = utf8_length(text);
        if (!is_xml(text, length))
            fputs("\xEF\xBF\xBD", to);
        else if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '>')
            fputs("&gt;", to);
        else if (*text == '&')
            fputs("&amp;", to);
        else
            fwrite(text, 1, length, to);
        text += length ? length : 1;
    }
}

static void draw_heading(FILE *to, const curve *of, int has_right)
{
    fprintf(to, "<text x=\"%d\" y=\"20\" font-weight=\"bold\">", LEFT);
    write_escaped(to, of->title);
    fprintf(to, "</text>\n<text x=\"%d\" y=\"38\" fill=\"" LEFT_COLOUR "\">%s</text>\n", LEFT, of->left.name);
    fprintf(to, "<text x=\"%d\" y=\"38\" text-anchor=\"end\" fill=\"" RIGHT_COLOUR "\">", RIGHT);
    write_escaped(to, has_right ? of->right.name : "");
    fputs("</text>\n", to);
}

static void draw(FILE *to, const curve *of)
{
    axis x = make_x_axis(of), left = {0}, right = {0};
    int has_left = make_y_axis(of, &of->left, &left), has_right = make_y_axis(of, &of->right, &right);
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"12\" fill=\"" GREY "\">\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    draw_heading(to, of, has_right);
    draw_x_axis(to, of, &x);
    fprintf(to, "<path d=\"M%d %d V%d H%d V%d\" fill=\"none\" stroke=\"" GREY "\"/>\n", LEFT, TOP, BOTTOM, RIGHT,
            has_right ? TOP : BOTTOM);
    if (has_left) {
        draw_y_axis(to, &left, 0);
        draw_series(to, of, &of->left, &x, &left, LEFT_COLOUR);
    }
    if (has_right) {
        draw_y_axis(to, &right, 1);
        draw_series(to, of, &of->right, &x, &right, RIGHT_COLOUR);
    }
    fputs("</svg>\n", to);
}

int write_curve(const char *path, const curve *of)
{
    output_file file = {0};
    int outcome = output_open(&file, path);
    if (!outcome) draw(file.to, of);
    if (!outcome) outcome = output_commit(&file);
    output_close(&file);
    return outcome;
}
