/* ann: the longest vectors of a table in seven bits a number, scanned whole. */
#include "longest.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sq_ann {

namespace {

enum { MIDDLE = 64 }; /* codes 1 .. 127: two products with a number of the query, at most 127, fit 16 bits */

/* Scores of a block; bit i: that of row i is above `least`. The integers are exact, so that every variant gives the same bits. */
typedef unsigned Score(const uint8_t *codes, const float *scales, const int8_t *query, size_t width, int32_t middle, float least, float *scores);

unsigned score_plain(const uint8_t *codes, const float *scales, const int8_t *query, size_t width, int32_t middle, float least, float *scores)
{
    unsigned above = 0;
    int32_t sums[Longest::rows] = {};
    for (size_t i = 0; i < width; i += 4)
        for (size_t row = 0; row < Longest::rows; row++)
            for (size_t j = 0; j < 4; j++) sums[row] += codes[i * Longest::rows + row * 4 + j] * query[i + j];
    for (size_t row = 0; row < Longest::rows; row++) {
        scores[row] = scales[row] * static_cast<float>(sums[row] - middle);
        above |= static_cast<unsigned>(scores[row] > least) << row;
    }
    return above;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) unsigned score_avx2(const uint8_t *codes, const float *scales, const int8_t *query, size_t width, int32_t middle,
                                                    float least, float *scores)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sums = _mm256_set1_epi32(-middle);
    for (size_t i = 0; i < width; i += 4) {
        int32_t four;
        std::memcpy(&four, query + i, sizeof four);
        const __m256i of_rows = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(codes + i * Longest::rows));
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(of_rows, _mm256_set1_epi32(four)), ones));
    }
    const __m256 found = _mm256_mul_ps(_mm256_loadu_ps(scales), _mm256_cvtepi32_ps(sums));
    _mm256_storeu_ps(scores, found);
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(found, _mm256_set1_ps(least), _CMP_GT_OQ)));
}
#endif

Score *best_score()
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return score_avx2;
#endif
    return score_plain;
}

float largest(const float *vector, size_t width)
{
    float most = 0.0f;
    for (size_t i = 0; i < width; i++) most = std::max(most, std::fabs(vector[i]));
    return most;
}

bool better(const Longest::Scored &a, const Longest::Scored &b) { return a.first > b.first; }

}

void Longest::code(size_t row, const float *vector)
{
    const float most = largest(vector, width_), factor = most > 0.0f ? 63.0f / most : 0.0f;
    uint8_t *to = codes_.data() + row / rows * rows * width_ + row % rows * 4;
    for (size_t i = 0; i < width_; i++)
        to[i / 4 * 4 * rows + i % 4] = static_cast<uint8_t>(MIDDLE + static_cast<int>(std::lround(vector[i] * factor)));
    scales_[row] = most / 63.0f;
}

void Longest::take(const char *vectors, size_t n, size_t stride, size_t width, size_t count)
{
    std::vector<Scored> lengths(n);
    const auto at = [&](size_t element) { return reinterpret_cast<const float *>(vectors + element * stride); };
    for (size_t i = 0; i < n; i++) {
        float sum = 0.0f;
        for (size_t j = 0; j < width; j++) sum += at(i)[j] * at(i)[j];
        lengths[i] = Scored(sum < INFINITY ? sum : 0.0f, static_cast<uint32_t>(i)); /* a file may hold anything */
    }
    const auto longer = [](const Scored &a, const Scored &b) { return a.first != b.first ? a.first > b.first : a.second < b.second; };
    count = std::min(count, n);
    std::partial_sort(lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(count), lengths.end(), longer);
    width_ = width;
    elements_.resize(count);
    scales_.assign(blocks() * rows, 0.0f);
    codes_.assign(blocks() * rows * width, MIDDLE);
    for (size_t i = 0; i < count; i++) {
        elements_[i] = lengths[i].second;
        code(i, at(elements_[i]));
    }
}

void Longest::best(const float *query, size_t want, Scan &scan) const
{
    static Score *const score = best_score();
    const float most = largest(query, width_), factor = most > 0.0f ? 127.0f / most : 0.0f;
    int32_t middle = 0;
    float least = -INFINITY, scores[rows];
    scan.query.resize(width_);
    scan.best.clear();
    for (size_t i = 0; i < width_; i++) {
        scan.query[i] = static_cast<int8_t>(std::lround(query[i] * factor));
        middle += MIDDLE * scan.query[i];
    }
    for (size_t block = 0; block < blocks(); block++) {
        unsigned above = score(codes_.data() + block * rows * width_, scales_.data() + block * rows, scan.query.data(), width_, middle, least, scores);
        for (; above != 0; above &= above - 1) {
            const size_t row = static_cast<size_t>(__builtin_ctz(above)), at = block * rows + row;
            if (at >= count() || !(scores[row] > least)) continue;
            scan.best.emplace_back(scores[row], elements_[at]);
            std::push_heap(scan.best.begin(), scan.best.end(), better);
            if (scan.best.size() <= want) continue;
            std::pop_heap(scan.best.begin(), scan.best.end(), better);
            scan.best.pop_back();
            least = scan.best.front().first;
        }
    }
}

}
