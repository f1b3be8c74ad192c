/* ann: the graph. */
#include "graph.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace sq_ann {

/* ---- distances ------------------------------------------------------------------------------------------------------ */

namespace {

typedef float Lanes __attribute__((vector_size(32)));
typedef Lanes Loose __attribute__((aligned(4), may_alias)); /* where it lies in an element */

/* Minus the inner product of two vectors of whole sixteens. */
inline __attribute__((always_inline)) float minus_dot(const void *one, const void *other, const void *count)
{
    const Loose *a = static_cast<const Loose *>(one), *b = static_cast<const Loose *>(other);
    const size_t n = *static_cast<const size_t *>(count) / 8;
    Lanes even = {}, odd = {};
    for (size_t i = 0; i < n; i += 2) {
        even += a[i] * b[i];
        odd += a[i + 1] * b[i + 1];
    }
    const Lanes s = even + odd;
    return -(((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7])));
}

float distance_plain(const void *a, const void *b, const void *n)
{
    return minus_dot(a, b, n);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) float distance_avx2(const void *a, const void *b, const void *n)
{
    return minus_dot(a, b, n);
}
#endif

hnswlib::DISTFUNC<float> distance_best()
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return distance_avx2;
#endif
    return distance_plain;
}

typedef std::pair<float, hnswlib::tableint> Near;

bool nearer(const Near &a, const Near &b) { return a.first < b.first; }
bool farther(const Near &a, const Near &b) { return a.first > b.first; }

}

/* ---- lifetime ------------------------------------------------------------------------------------------------------- */

/* hnswlib's destructor can take down what is there at any point of this. */
void Graph::prepare(size_t capacity, size_t threads)
{
    data_level0_memory_ = nullptr;
    linkLists_ = nullptr;
    visited_list_pool_ = nullptr;
    cur_element_count = num_deleted_ = 0;
    enterpoint_node_ = static_cast<tableint>(-1);
    maxlevel_ = -1;
    max_elements_ = capacity;
    data_size_ = shape_.padded * sizeof(float);
    fstdistfunc_ = distance_best();
    dist_func_param_ = &shape_.padded;
    M_ = maxM_ = shape_.links;
    maxM0_ = 2 * M_;
    ef_construction_ = ef_ = shape_.build_breadth;
    mult_ = revSize_ = 0; /* nobody asks */
    size_links_level0_ = maxM0_ * sizeof(tableint) + sizeof(hnswlib::linklistsizeint);
    size_links_per_element_ = maxM_ * sizeof(tableint) + sizeof(hnswlib::linklistsizeint);
    size_data_per_element_ = size_links_level0_ + data_size_ + sizeof(hnswlib::labeltype);
    offsetLevel0_ = 0;
    offsetData_ = size_links_level0_;
    label_offset_ = size_links_level0_ + data_size_;
    threads_ = threads;
    element_levels_.assign(capacity, 0);
    data_level0_memory_ = static_cast<char *>(std::malloc(capacity * size_data_per_element_));
    linkLists_ = static_cast<char **>(std::calloc(capacity, sizeof *linkLists_));
    if (data_level0_memory_ == nullptr || linkLists_ == nullptr) throw std::bad_alloc();
}

/* A list that is out when an insertion throws never comes back to hnswlib's pool: so they are all known here. */
void Graph::take_lists()
{
    std::vector<std::mutex>(max_elements_).swap(link_list_locks_);
    std::vector<std::mutex>(max_update_element_locks).swap(link_list_update_locks_);
    lists_.reserve(threads_);
    try {
        visited_list_pool_ = new hnswlib::VisitedListPool(0, static_cast<int>(max_elements_));
        for (size_t i = 0; i < threads_; i++) lists_.push_back(new hnswlib::VisitedList(static_cast<int>(max_elements_)));
        for (hnswlib::VisitedList *list : lists_) visited_list_pool_->releaseVisitedList(list);
    } catch (...) {
        drop_lists();
        throw;
    }
}

/* As many as there are have been taken out of the pool before they are deleted, or one that was made because the others are lost. */
void Graph::drop_lists()
{
    size_t there = 0;
    try {
        for (; visited_list_pool_ != nullptr && there < lists_.size(); there++) {
            hnswlib::VisitedList *list = visited_list_pool_->getFreeVisitedList();
            if (std::find(lists_.begin(), lists_.end(), list) != lists_.end()) continue;
            delete list;
            break;
        }
    } catch (...) { /* none was left, and no memory for another */
    }
    for (hnswlib::VisitedList *list : lists_) delete list;
    lists_.clear();
    delete visited_list_pool_;
    visited_list_pool_ = nullptr;
}

Graph::Graph(const Shape &shape, size_t capacity, size_t threads) : HierarchicalNSW<float>(nullptr), shape_(shape)
{
    prepare(capacity, threads);
    if (threads > 0) take_lists();
}

Graph::Graph(const Graph &other, size_t more) : HierarchicalNSW<float>(nullptr), shape_(other.shape_)
{
    prepare(other.elements() + more, 1);
    std::memcpy(data_level0_memory_, other.data_level0_memory_, other.elements() * size_data_per_element_);
    for (size_t i = 0; i < other.elements(); i++) {
        char *lists = take_element(other.element_levels_[i]);
        if (lists != nullptr) std::memcpy(lists, other.upper(i), upper_bytes(i));
        label_lookup_[getExternalLabel(static_cast<tableint>(i))] = static_cast<tableint>(i);
    }
    num_deleted_ = other.num_deleted_;
    enterpoint_node_ = other.enterpoint_node_;
    maxlevel_ = other.maxlevel_;
    take_lists();
}

Graph::~Graph()
{
    drop_lists();
}

char *Graph::take_element(int level)
{
    const size_t bytes = size_links_per_element_ * static_cast<size_t>(level);
    char *lists = nullptr;
    if (level > 0 && (lists = static_cast<char *>(std::malloc(bytes))) == nullptr) throw std::bad_alloc();
    linkLists_[cur_element_count] = lists;
    element_levels_[cur_element_count] = level;
    cur_element_count++;
    return lists;
}

size_t Graph::bytes() const
{
    size_t sum = cur_element_count * (size_data_per_element_ + sizeof *linkLists_) + longest_.bytes();
    for (size_t i = 0; i < cur_element_count; i++) sum += upper_bytes(i);
    return sum;
}

/* ---- building ------------------------------------------------------------------------------------------------------- */

/* floor(-ln(u) / ln(links)), u uniform from (seed, slot). */
int Graph::level_of(uint64_t slot) const
{
    uint64_t x = slot + 0x9e3779b97f4a7c15u * (shape_.seed + 1);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    const double u = (static_cast<double>(x >> 11) + 0.5) / 9007199254740992.0;
    const double level = -std::log(u) / std::log(static_cast<double>(shape_.links));
    return std::min(static_cast<int>(level), most_levels);
}

void Graph::insert(const float *vector, uint64_t slot)
{
    std::vector<float> padded(shape_.padded, 0.0f);
    std::copy(vector, vector + shape_.width, padded.begin());
    addPoint(padded.data(), slot, level_of(slot));
}

void Graph::remove(uint64_t slot)
{
    const auto found = label_lookup_.find(slot);
    if (found != label_lookup_.end() && !isMarkedDeleted(found->second)) markDelete(slot);
}

/* A tenth. */
void Graph::take_longest()
{
    const size_t most = most_long, tenth = cur_element_count / 10;
    longest_.take(vector_of(0), cur_element_count, size_data_per_element_, shape_.padded, std::min(tenth, most));
}

void Graph::settle()
{
    take_longest();
    drop_lists();
    label_lookup_.clear();
    std::unordered_map<hnswlib::labeltype, tableint>().swap(label_lookup_);
    std::vector<std::mutex>().swap(link_list_locks_);
    std::vector<std::mutex>().swap(link_list_update_locks_);
}

/* ---- walking -------------------------------------------------------------------------------------------------------- */

/* hnswlib's searchKnn loses a list when memory fails, and counts its hops in two words that all threads write. */

float Graph::apart(const float *query, tableint element) const
{
    return fstdistfunc_(query, vector_of(element), dist_func_param_);
}

Graph::tableint Graph::descend(const float *query) const
{
    tableint here = enterpoint_node_;
    float least = apart(query, here);
    for (int level = maxlevel_; level > 0; level--) {
        for (bool moved = true; moved;) {
            moved = false;
            hnswlib::linklistsizeint *list = get_linklist(here, level);
            const size_t n = getListCount(list);
            for (size_t i = 1; i <= n; i++) {
                const float d = apart(query, list[i]);
                if (!(d < least)) continue;
                least = d;
                here = list[i];
                moved = true;
            }
        }
    }
    return here;
}

/* Puts elements that no look has fallen on yet, of at most 2 * most_links, among the open ones and the best, where they are near enough. */
void Graph::look(Walk &w, const tableint *elements, size_t n, size_t want) const
{
    tableint fresh[2 * most_links];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (w.marks.mass[elements[i]] == w.marks.curV) continue;
        w.marks.mass[elements[i]] = w.marks.curV;
        const char *at = vector_of(elements[i]);
        for (size_t byte = 0; byte < data_size_; byte += 64) __builtin_prefetch(at + byte);
        fresh[count++] = elements[i];
    }
    for (size_t i = 0; i < count; i++) {
        const Near found(apart(w.query.data(), fresh[i]), fresh[i]);
        if (w.best.size() >= want && !(found.first < w.best.front().first)) continue;
        w.open.push_back(found);
        std::push_heap(w.open.begin(), w.open.end(), farther);
        if (isMarkedDeleted(fresh[i])) continue;
        w.best.push_back(found);
        std::push_heap(w.best.begin(), w.best.end(), nearer);
        if (w.best.size() <= want) continue;
        std::pop_heap(w.best.begin(), w.best.end(), nearer);
        w.best.pop_back();
    }
}

/* The lowest layer, from where the upper ones lead to and from the best of the longest: goes on from the nearest element not yet looked
 * behind, until that is farther than the `want` nearest. Removed elements lead on, but are not kept. */
void Graph::walk(Walk &w, size_t want) const
{
    w.open.clear();
    w.best.clear();
    w.marks.reset();
    const size_t at_once = 2 * most_links;
    for (size_t i = 0; i < w.from.size(); i += at_once) look(w, w.from.data() + i, std::min(at_once, w.from.size() - i), want);
    while (!w.open.empty()) {
        std::pop_heap(w.open.begin(), w.open.end(), farther);
        const Near next = w.open.back();
        w.open.pop_back();
        if (w.best.size() == want && next.first > w.best.front().first) break;
        hnswlib::linklistsizeint *list = get_linklist0(next.second);
        look(w, list + 1, getListCount(list), want);
    }
}

std::unique_ptr<Walk> Graph::borrow()
{
    {
        std::lock_guard<std::mutex> hold(walks_lock_);
        if (!walks_.empty()) {
            std::unique_ptr<Walk> w = std::move(walks_.back());
            walks_.pop_back();
            return w;
        }
        walks_.reserve(walks_made_ + 1); /* so that giving it back cannot fail */
        walks_made_++;
    }
    return std::unique_ptr<Walk>(new Walk(cur_element_count, shape_.padded));
}

void Graph::give_back(std::unique_ptr<Walk> w)
{
    std::lock_guard<std::mutex> hold(walks_lock_);
    walks_.push_back(std::move(w));
}

int64_t Graph::nearest(const float *query, int64_t want, int32_t *slots)
{
    if (want <= 0 || cur_element_count == 0) return 0;
    std::unique_ptr<Walk> w = borrow();
    std::copy(query, query + shape_.width, w->query.begin());
    longest_.best(w->query.data(), static_cast<size_t>(want), w->scan);
    w->from.assign(1, descend(w->query.data()));
    for (const Longest::Scored &found : w->scan.best) w->from.push_back(found.second);
    walk(*w, static_cast<size_t>(want));
    const size_t found = w->best.size();
    for (size_t i = 0; i < found; i++) slots[i] = static_cast<int32_t>(getExternalLabel(w->best[i].second));
    give_back(std::move(w));
    return static_cast<int64_t>(found);
}

/* ---- what was read -------------------------------------------------------------------------------------------------- */

const char *Graph::fault_of(size_t element) const
{
    for (int level = 0; level <= element_levels_[element]; level++) {
        hnswlib::linklistsizeint *list = get_linklist_at_level(static_cast<tableint>(element), level);
        const size_t n = getListCount(list);
        if (n > (level > 0 ? maxM_ : maxM0_)) return "a list of links is too long";
        for (size_t i = 1; i <= n; i++) {
            if (list[i] >= cur_element_count) return "a link leads to no element";
            if (element_levels_[list[i]] < level) return "a link leads to a layer in which its element is not";
        }
    }
    return nullptr;
}

/* A table that was read ends behind its last item, where removed elements keep slots that later items of the same model may get. */
bool Graph::slots_fit(size_t slots) const
{
    std::vector<bool> taken(slots, false);
    std::vector<size_t> behind;
    for (size_t i = 0; i < cur_element_count; i++) {
        const size_t label = getExternalLabel(static_cast<tableint>(i));
        if (label < slots) {
            if (taken[label]) return false;
            taken[label] = true;
        } else {
            if (!isMarkedDeleted(static_cast<tableint>(i)) || label > INT32_MAX) return false;
            behind.push_back(label);
        }
    }
    std::sort(behind.begin(), behind.end());
    return std::adjacent_find(behind.begin(), behind.end()) == behind.end();
}

const char *Graph::adopt(tableint entry, int top, size_t slots)
{
    if (entry >= cur_element_count || element_levels_[entry] != top) return "the entry is not in the highest layer";
    if (!slots_fit(slots)) return "a slot is not in the table, or is there twice";
    for (size_t i = 0; i < cur_element_count; i++) {
        if (element_levels_[i] > top) return "an element is above the highest layer";
        const char *fault = fault_of(i);
        if (fault != nullptr) return fault;
        if (isMarkedDeleted(static_cast<tableint>(i))) num_deleted_++;
    }
    enterpoint_node_ = entry;
    maxlevel_ = top;
    take_longest();
    return nullptr;
}

}
