/* ann: a graph of vectors, built by hnswlib and walked by several threads at once once it is whole. Labels are slots. Functions throw what
 * hnswlib and the C++ library throw. */
#ifndef SQ_ANN_GRAPH_HPP
#define SQ_ANN_GRAPH_HPP
#include <cstdint>
#include <fstream>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>
#include "longest.hpp"
/* Its own loops over vectors are left out: they read behind the end of link lists to prefetch, and choose by what the compiler was
 * told of the processor. */
#define NO_MANUAL_VECTORIZATION
#include <hnswlib/hnswlib.h>

/* Levels come from Graph::level_of, where they are above 0. hnswlib would draw the others from a generator that threads share without
 * a lock. */
namespace hnswlib {
template <> inline int HierarchicalNSW<float>::getRandomLevel(double)
{
    return 0;
}
}

namespace sq_ann {

struct Shape {
    size_t width;  /* floats of a vector as it is given */
    size_t padded; /* as it is stored: whole sixteens */
    size_t links, build_breadth;
    uint64_t seed;
};

/* Working memory of one walk. */
struct Walk {
    explicit Walk(size_t elements, size_t padded) : marks(static_cast<int>(elements)), query(padded, 0.0f) {}
    hnswlib::VisitedList marks;
    std::vector<float> query;
    Longest::Scan scan;
    std::vector<hnswlib::tableint> from; /* elements to begin at */
    std::vector<std::pair<float, hnswlib::tableint>> open, best;
};

class Graph : public hnswlib::HierarchicalNSW<float> {
public:
    using tableint = hnswlib::tableint;

    /* An empty graph with room for `capacity` vectors, that at most `threads` insert at once. hnswlib's own constructor leaks when memory
     * fails half-way; this one leaves nothing. */
    Graph(const Shape &shape, size_t capacity, size_t threads);
    /* A copy with room for `more` vectors. */
    Graph(const Graph &other, size_t more);
    ~Graph();
    Graph &operator=(const Graph &) = delete;

    /* 0 for most slots: a function of seed and slot. */
    int level_of(uint64_t slot) const;
    /* vector [width]. An element with this slot gets the vector instead, and is no longer removed. */
    void insert(const float *vector, uint64_t slot);
    void remove(uint64_t slot);
    bool knows(uint64_t slot) const { return label_lookup_.count(slot) != 0; }
    /* Ends the building: gives back what only that needs. No insertions from then on. */
    void settle();

    /* Up to `want` slots near query [width]; how many. Any number of threads at once. */
    int64_t nearest(const float *query, int64_t want, int32_t *slots);

    size_t elements() const { return cur_element_count; }
    size_t removed() const { return num_deleted_; }
    size_t bytes() const;
    const Shape &shape() const { return shape_; }

    /* The parts that a file holds. */
    char *base() { return data_level0_memory_; }
    const char *base() const { return data_level0_memory_; }
    size_t element_bytes() const { return size_data_per_element_; }
    size_t upper_bytes(size_t element) const { return size_links_per_element_ * static_cast<size_t>(element_levels_[element]); }
    const char *upper(size_t element) const { return linkLists_[element]; }
    /* Room for the upper lists of an element that is being read; the element counts from then on. */
    char *take_element(int level);
    /* Whether all parts fit together, as nothing but a sound graph's do: NULL, or what does not. `slots`: labels are below, but those of removed
     * elements, and all differ. */
    const char *adopt(tableint entry, int top, size_t slots);
    tableint entry() const { return enterpoint_node_; }
    int top() const { return maxlevel_; }
    static constexpr int most_levels = 32;
    static constexpr size_t most_links = 100;
    static constexpr size_t most_long = 131072; /* a scan of so many takes a third of a millisecond at width 64 */

private:
    void prepare(size_t capacity, size_t threads);
    void take_lists();
    void drop_lists();
    void take_longest();
    const char *vector_of(tableint element) const { return data_level0_memory_ + element * size_data_per_element_ + offsetData_; }
    float apart(const float *query, tableint element) const;
    tableint descend(const float *query) const;
    void look(Walk &w, const tableint *elements, size_t n, size_t want) const;
    void walk(Walk &w, size_t want) const;
    std::unique_ptr<Walk> borrow();
    void give_back(std::unique_ptr<Walk> w);
    bool slots_fit(size_t slots) const;
    const char *fault_of(size_t element) const;

    Shape shape_;
    Longest longest_;
    size_t threads_ = 0;
    std::vector<hnswlib::VisitedList *> lists_; /* all that hnswlib's pool was given */
    std::mutex walks_lock_;                     /* held for the list alone */
    std::vector<std::unique_ptr<Walk>> walks_;
    size_t walks_made_ = 0;
};

}
#endif
