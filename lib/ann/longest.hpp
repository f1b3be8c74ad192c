/* ann: the longest vectors of a table in seven bits a number, scanned whole. An inner product is large for a long vector sooner than for
 * a near one, and a graph's walk finds the near ones: so a search looks at all of the long ones first, and walks from the best of them.
 * (That long vectors win: Yan et al. 2018, Norm-Ranging LSH.) */
#ifndef SQ_ANN_LONGEST_HPP
#define SQ_ANN_LONGEST_HPP
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sq_ann {

class Longest {
public:
    static constexpr size_t rows = 8; /* of a block: four numbers of each in turn */

    typedef std::pair<float, uint32_t> Scored; /* about the inner product; an element */

    /* Working memory of one scan. */
    struct Scan {
        std::vector<int8_t> query;
        std::vector<Scored> best; /* in no order */
    };

    /* The `count` longest of `n` vectors of `width` floats, a multiple of four, that lie `stride` bytes apart. */
    void take(const char *vectors, size_t n, size_t stride, size_t width, size_t count);
    /* Up to `want` of them with the largest products with query [width], to scan.best. */
    void best(const float *query, size_t want, Scan &scan) const;
    size_t count() const { return elements_.size(); }
    size_t bytes() const { return codes_.size() + blocks() * rows * sizeof(float) + count() * sizeof(uint32_t); }

private:
    size_t blocks() const { return (count() + rows - 1) / rows; }
    void code(size_t row, const float *vector);

    size_t width_ = 0;
    std::vector<uint8_t> codes_; /* number + 64 */
    std::vector<float> scales_;  /* of a code's step; 0 in rows behind the last */
    std::vector<uint32_t> elements_;
};

}
#endif
