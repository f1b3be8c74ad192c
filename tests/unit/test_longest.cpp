/* unit: the longest vectors of a table, scanned in seven bits a number: whichever way the processor takes gives the bits of plain sums. */
#include <algorithm>
#include <cmath>
#include <cstring>
#include <check.h>
#include "ann/longest.hpp"
#include "run_suite.h"

using sq_ann::Longest;

namespace {

struct Table {
    size_t n, width;
    std::vector<float> rows;

    Table(size_t count, size_t wide) : n(count), width(wide), rows(count * wide)
    {
        uint32_t state = 11;
        for (float &number : rows) number = static_cast<float>(static_cast<int32_t>((state = state * 1664525u + 1013904223u) >> 8) - (1 << 23));
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < width; j++) rows[i * width + j] *= 1e-8f * static_cast<float>(1 + i * 37 % n);
    }
    const float *row(size_t i) const { return rows.data() + i * width; }
    float length(size_t i) const
    {
        float sum = 0;
        for (size_t j = 0; j < width; j++) sum += row(i)[j] * row(i)[j];
        return sum;
    }
    Longest taken(size_t count) const
    {
        Longest longest;
        longest.take(reinterpret_cast<const char *>(rows.data()), n, width * sizeof(float), width, count);
        return longest;
    }
};

float most_of(const float *vector, size_t width)
{
    float most = 0;
    for (size_t i = 0; i < width; i++) most = std::max(most, std::fabs(vector[i]));
    return most;
}

/* The score that the header promises, by the definition. */
float score_of(const float *row, const float *query, size_t width)
{
    const float most = most_of(row, width), largest = most_of(query, width);
    int32_t sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += static_cast<int32_t>(std::lround(row[i] * (most > 0 ? 63.0f / most : 0))) *
               static_cast<int32_t>(std::lround(query[i] * (largest > 0 ? 127.0f / largest : 0)));
    return most / 63.0f * static_cast<float>(sum);
}

bool better(const Longest::Scored &a, const Longest::Scored &b) { return a.first != b.first ? a.first > b.first : a.second < b.second; }

}

START_TEST(scores_are_those_of_the_definition_bit_for_bit)
{
    const size_t width = 16 * static_cast<size_t>(1 + _i % 5), n = 203, count = 61 + static_cast<size_t>(_i);
    const Table table(n, width);
    const Longest longest = table.taken(count);
    Longest::Scan scan;
    std::vector<Longest::Scored> lengths, wanted;
    for (size_t i = 0; i < n; i++) lengths.emplace_back(table.length(i), static_cast<uint32_t>(i));
    std::sort(lengths.begin(), lengths.end(), better);
    ck_assert_uint_eq(longest.count(), count);
    for (size_t q = 0; q < n; q += 20) {
        wanted.clear();
        for (size_t i = 0; i < count; i++)
            wanted.emplace_back(score_of(table.row(lengths[i].second), table.row(q), width), lengths[i].second);
        longest.best(table.row(q), count, scan);
        std::sort(wanted.begin(), wanted.end(), better);
        std::sort(scan.best.begin(), scan.best.end(), better);
        ck_assert_uint_eq(scan.best.size(), count);
        for (size_t i = 0; i < count; i++) {
            ck_assert_uint_eq(scan.best[i].second, wanted[i].second);
            ck_assert(std::memcmp(&scan.best[i].first, &wanted[i].first, sizeof(float)) == 0);
        }
        longest.best(table.row(q), 7, scan);
        std::sort(scan.best.begin(), scan.best.end(), better);
        ck_assert_uint_eq(scan.best.size(), 7);
        for (size_t i = 0; i < 7; i++) ck_assert_uint_eq(scan.best[i].second, wanted[i].second);
    }
}
END_TEST

/* What a file can hold, and what a history can give. */
START_TEST(zeros_and_what_is_no_number_do_no_harm)
{
    Table table(40, 16);
    Longest::Scan scan;
    std::vector<float> query(16, 0.0f);
    for (size_t j = 0; j < 16; j++) table.rows[j] = NAN, table.rows[16 + j] = INFINITY, table.rows[32 + j] = 0, table.rows[48 + j] = 1e-42f;
    const Longest all = table.taken(100), none = table.taken(0);
    ck_assert_uint_eq(all.count(), 40);
    ck_assert_uint_eq(none.count(), 0);
    none.best(query.data(), 5, scan);
    ck_assert_uint_eq(scan.best.size(), 0);
    all.best(query.data(), 5, scan);
    ck_assert_uint_le(scan.best.size(), 5);
    for (const float value : {NAN, INFINITY, 1e-42f, 1e38f}) {
        query.assign(16, value);
        all.best(query.data(), 5, scan);
        ck_assert_uint_le(scan.best.size(), 5);
        for (const Longest::Scored &found : scan.best) ck_assert_uint_lt(found.second, 40);
    }
}
END_TEST

int main()
{
    Suite *suite = suite_create("longest");
    TCase *tests = tcase_create("longest");
    tcase_add_loop_test(tests, scores_are_those_of_the_definition_bit_for_bit, 0, 10);
    tcase_add_test(tests, zeros_and_what_is_no_number_do_no_harm);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
