/* optim: learning rate and Adam constants of a step. */
#include "optim/schedule.h"
#include <math.h>

double sq_schedule_rate(const sq_schedule *s, int64_t step)
{
    const double pi = 3.14159265358979323846;
    step += s->passed;
    if (step <= s->warmup) return s->learning_rate * (double)step / (double)s->warmup;
    if (!s->cosine && !s->linear) return s->learning_rate;
    if (step >= s->steps) return 0;
    double part = (double)(step - s->warmup) / (double)(s->steps - s->warmup);
    if (s->linear) return s->learning_rate * (1 - part);
    return s->learning_rate * 0.5 * (1 + cos(pi * part));
}

sq_adam sq_schedule_rule(const sq_schedule *s, int64_t step, double clip)
{
    double rate = sq_schedule_rate(s, step), t = (double)step;
    sq_adam a = {.beta1 = (float)s->beta1, .beta2 = (float)s->beta2, .epsilon = (float)s->epsilon, .decay = 1.0f};
    a.rate = (float)(s->uncorrected ? rate : rate / (1 - pow(s->beta1, t)));
    a.root = (float)(s->uncorrected ? 1 : 1 / sqrt(1 - pow(s->beta2, t)));
    a.clip = (float)clip;
    if (s->decoupled)
        a.decay = (float)(1 - rate * s->weight_decay);
    else
        a.l2 = (float)s->weight_decay;
    return a;
}
