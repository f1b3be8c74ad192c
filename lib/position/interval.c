/* position: how the time between two events picks a term of attention. */
#include "position/interval.h"
#include <math.h>

/* Shortest interval of each bucket: exp(0.301 b), rounded up. Some of the first have none, and share that of the next. */
static const uint64_t edges[SQ_TIME_BUCKETS] = {
    0u, 2u, 2u, 3u, 4u, 5u, 7u, 9u, 12u, 16u, 21u, 28u, 38u, 51u, 68u, 92u, 124u, 167u, 226u, 305u, 412u, 557u, 752u,
    1016u, 1372u, 1854u, 2505u, 3385u, 4574u, 6180u, 8350u, 11283u, 15245u, 20600u, 27834u, 37610u, 50818u, 68666u,
    92782u, 125367u, 169397u, 228891u, 309280u, 417902u, 564672u, 762990u, 1030960u, 1393042u, 1882291u, 2543369u,
    3436624u, 4643598u, 6274473u, 8478127u, 11455724u, 15479081u, 20915478u, 28261189u, 38186783u, 51598337u,
    69720155u, 94206525u, 127292737u, 171999135u, 232406837u, 314030289u, 424320660u, 573346040u, 774710524u,
    1046796097u, 1414440665u, 1911205440u, UINT64_C(2582438644), UINT64_C(3489415219), UINT64_C(4714930440),
    UINT64_C(6370858056), UINT64_C(8608362918), UINT64_C(11631700390), UINT64_C(15716862225), UINT64_C(21236771058),
    UINT64_C(28695323438), UINT64_C(38773389087), UINT64_C(52390965538), UINT64_C(70791162047), UINT64_C(95653679456),
    UINT64_C(129248145233), UINT64_C(174641301215), UINT64_C(235976957620), UINT64_C(318854269524),
    UINT64_C(430838867570), UINT64_C(582153502558), UINT64_C(786611250865), UINT64_C(1062876470327),
    UINT64_C(1436168615607), UINT64_C(1940564449431), UINT64_C(2622108811928), UINT64_C(3543017921206),
    UINT64_C(4787358912370), UINT64_C(6468724083690), UINT64_C(8740600409714), UINT64_C(11810380924256),
    UINT64_C(15958297031977), UINT64_C(21563000024645), UINT64_C(29136127064885), UINT64_C(39369007066311),
    UINT64_C(53195770115076), UINT64_C(71878621509799), UINT64_C(97123064840915), UINT64_C(131233592491847),
    UINT64_C(177324056098577), UINT64_C(239601921079808), UINT64_C(323752354013490), UINT64_C(437457205087951),
    UINT64_C(591096262037950), UINT64_C(798694791013881), UINT64_C(1079203862655709), UINT64_C(1458230340644303),
    UINT64_C(1970374458392745), UINT64_C(2662388374508185), UINT64_C(3597444042437672), UINT64_C(4860899995802064),
    UINT64_C(6568093482609850), UINT64_C(8874869269797386), UINT64_C(11991806262278896), UINT64_C(16203440643505319),
    UINT64_C(21894240362561142), UINT64_C(29583702103771285), UINT64_C(39973774639893605),
    UINT64_C(54012937709959665),
};

static uint64_t apart(int64_t a, int64_t b) { return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a; }

/* Intervals grow with every step back where times rise, so that the walk through the buckets is as long as both together. */
void sq_time_buckets(const int64_t *times, size_t n, int64_t ask, uint16_t *to)
{
    size_t bucket = 0;
    for (size_t j = n; j-- > 0;) {
        uint64_t seconds = apart(ask, times[j]);
        while (bucket + 1 < SQ_TIME_BUCKETS && seconds >= edges[bucket + 1]) bucket++;
        while (bucket > 0 && seconds < edges[bucket]) bucket--;
        to[j] = (uint16_t)bucket;
    }
}

/* The smaller gap of those that are not 0, which 0 stands for. */
static uint64_t smaller(uint64_t least, uint64_t gap) { return gap > 0 && (least == 0 || gap < least) ? gap : least; }

double sq_time_unit(const int64_t *times, size_t n)
{
    uint64_t least = 0;
    for (size_t j = 1; j < n; j++) least = smaller(least, apart(times[j], times[j - 1]));
    return least > 0 ? (double)least : 1;
}

void sq_time_units(const int64_t *times, size_t n, double *unit)
{
    uint64_t least = 0;
    for (size_t j = 0; j < n; j++) {
        if (j > 0) least = smaller(least, apart(times[j], times[j - 1]));
        unit[j] = least > 0 ? (double)least : 1;
    }
}

static double place(int64_t time, int64_t first, double unit)
{
    double since = (double)apart(time, first);
    return rint((time < first ? -since : since) / unit);
}

void sq_time_places(const int64_t *times, size_t n, double unit, double *tau)
{
    for (size_t j = 0; j < n; j++) tau[j] = place(times[j], times[0], unit);
}

static uint16_t cut(double distance, int32_t span) { return (uint16_t)(distance < span ? distance : span); }

void sq_interval_row(const sq_intervals *v, size_t i, size_t first, size_t end, uint16_t *to)
{
    if (v->tau) {
        for (size_t j = first; j < end; j++) to[j - first] = cut(fabs(v->tau[i] - v->tau[j]), v->span);
    } else if (v->unit) {
        double tau = place(v->times[i], v->times[0], v->unit[i]);
        for (size_t j = first; j < end; j++)
            to[j - first] = cut(fabs(tau - place(v->times[j], v->times[0], v->unit[i])), v->span);
    } else {
        sq_time_buckets(v->times + first, end - first, v->asks[i], to);
    }
}
