/* ann: the exported functions. */
#include <atomic>
#include <cstddef>
#include <thread>
#include "failure.hpp"
#include "graphfile.hpp"

using namespace sq_ann;

/* ---- what is held ------------------------------------------------------------------------------------------------------ */

namespace {

/* A view of a model's vectors. */
struct Vectors {
    seqrec_vectors *at = nullptr;
    seqrec_vectors_info info = {};

    explicit Vectors(const seqrec_model *model)
    {
        seqrec_error error = {};
        check(seqrec_vectors_open(model, &at, &error), error);
        info.struct_size = sizeof info;
        const int32_t status = seqrec_vectors_describe(at, &info, &error);
        if (status == SEQREC_OK) return;
        seqrec_vectors_release(at);
        check(status, error);
    }
    ~Vectors() { seqrec_vectors_release(at); }
    Vectors(const Vectors &) = delete;
    Vectors &operator=(const Vectors &) = delete;

    size_t width() const { return static_cast<size_t>(info.width); }
    uint64_t sum() const
    {
        seqrec_error error = {};
        uint64_t value = 0;
        check(seqrec_vectors_checksum(at, &value, &error), error);
        return value;
    }
    void read(int64_t first, int64_t n, float *out, uint8_t *live) const
    {
        seqrec_error error = {};
        check(seqrec_vectors_read(at, first, n, out, live, &error), error);
    }
};

}

struct seqrec_ann {
    std::atomic<int64_t> references{1};
    std::unique_ptr<Vectors> vectors;
    std::unique_ptr<Graph> graph;
    int64_t search_breadth = 0;
};

namespace {

enum { BLOCK = 128 }; /* slots that a thread takes at once */

int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

void must_be(const void *pointer, const char *name)
{
    if (pointer == nullptr) refuse(SEQREC_E_ARGUMENT, "%s is NULL", name);
}

/* ---- building -------------------------------------------------------------------------------------------------------- */

/* Inserts the items of one block of slots that are in the upper layers, or in the lowest alone. */
void insert_block(const Vectors &vectors, Graph &graph, int64_t first, bool upper, int64_t entry)
{
    const int64_t n = least(BLOCK, vectors.info.slots - first);
    std::vector<float> rows(static_cast<size_t>(n) * vectors.width());
    std::vector<uint8_t> live(static_cast<size_t>(n));
    vectors.read(first, n, rows.data(), live.data());
    for (int64_t i = 0; i < n; i++) {
        const uint64_t slot = static_cast<uint64_t>(first + i);
        if (!live[static_cast<size_t>(i)] || first + i == entry || (graph.level_of(slot) > 0) != upper) continue;
        graph.insert(rows.data() + static_cast<size_t>(i) * vectors.width(), slot);
    }
}

/* The blocks of one phase, dealt to threads. The first failure ends all. */
struct Phase {
    const Vectors &vectors;
    Graph &graph;
    int64_t entry;
    std::atomic<int64_t> next{0};
    std::mutex lock;
    std::exception_ptr failed;

    void work() noexcept
    {
        try {
            for (int64_t first; (first = next.fetch_add(BLOCK)) < vectors.info.slots;) insert_block(vectors, graph, first, false, entry);
        } catch (...) {
            std::lock_guard<std::mutex> hold(lock);
            if (!failed) failed = std::current_exception();
            next = INT64_MAX / 2;
        }
    }
    void run(int32_t threads)
    {
        std::vector<std::thread> others;
        try {
            others.reserve(static_cast<size_t>(threads));
            while (static_cast<int32_t>(others.size()) + 1 < threads) others.emplace_back([this] { work(); });
        } catch (...) {
            std::lock_guard<std::mutex> hold(lock);
            failed = std::current_exception();
            next = INT64_MAX / 2;
        }
        work();
        for (std::thread &other : others) other.join();
        if (failed) std::rethrow_exception(failed);
    }
};

int64_t first_item(const Vectors &vectors)
{
    std::vector<float> row(vectors.width());
    for (int64_t slot = 0; slot < vectors.info.slots; slot++) {
        uint8_t live = 0;
        vectors.read(slot, 1, row.data(), &live);
        if (live) return slot;
    }
    refuse(SEQREC_E_STATE, "the model has no items to build a graph of");
}

/* One item, then those of the upper layers, one by one: from then on the way in does not change, and hnswlib's threads share nothing of
 * it but the lists that they lock. */
std::unique_ptr<Graph> build(const Vectors &vectors, const Shape &shape, int32_t threads)
{
    const int64_t entry = first_item(vectors);
    std::vector<float> row(vectors.width());
    std::unique_ptr<Graph> graph(new Graph(shape, static_cast<size_t>(vectors.info.items), static_cast<size_t>(threads)));
    vectors.read(entry, 1, row.data(), nullptr);
    graph->insert(row.data(), static_cast<uint64_t>(entry));
    for (int64_t first = 0; first < vectors.info.slots; first += BLOCK) insert_block(vectors, *graph, first, true, entry);
    Phase lowest{vectors, *graph, entry, {}, {}, {}};
    lowest.run(threads);
    graph->settle();
    return graph;
}

seqrec_ann_options read_options(const seqrec_ann_options *given)
{
    const size_t first = offsetof(seqrec_ann_options, reserved) + sizeof given->reserved;
    seqrec_ann_options o = {};
    o.struct_size = sizeof o;
    if (given != nullptr) {
        if (given->struct_size < first)
            refuse(SEQREC_E_ARGUMENT, "options.struct_size is %zu; it is at least %zu", given->struct_size, first);
        for (size_t i = sizeof o; i < given->struct_size; i++)
            if (reinterpret_cast<const char *>(given)[i] != 0)
                refuse(SEQREC_E_UNSUPPORTED, "options has a field at byte %zu that this build does not know", i);
        o = *given;
    }
    if (o.links == 0) o.links = 16;
    if (o.build_breadth == 0) o.build_breadth = o.links > 200 ? o.links : 200;
    if (o.search_breadth == 0) o.search_breadth = 128;
    if (o.threads == 0) o.threads = 1;
    return o;
}

void check_breadth(int64_t breadth)
{
    if (breadth < 1 || breadth > 65536)
        refuse(SEQREC_E_RANGE, "search_breadth = %lld is not in 1 .. 65536", static_cast<long long>(breadth));
}

void check_options(const seqrec_ann_options &o)
{
    const int64_t most = static_cast<int64_t>(Graph::most_links);
    if (o.links < 2 || o.links > most)
        refuse(SEQREC_E_RANGE, "options.links = %lld is not in 2 .. %lld", static_cast<long long>(o.links), static_cast<long long>(most));
    if (o.build_breadth < o.links || o.build_breadth > 10000)
        refuse(SEQREC_E_RANGE, "options.build_breadth = %lld is not in links .. 10000", static_cast<long long>(o.build_breadth));
    if (o.threads < 1 || o.threads > 256) refuse(SEQREC_E_RANGE, "options.threads = %d is not in 0 .. 256", static_cast<int>(o.threads));
    if (o.reserved != 0) refuse(SEQREC_E_ARGUMENT, "options.reserved is not 0");
    check_breadth(o.search_breadth);
}

/* ---- updating -------------------------------------------------------------------------------------------------------- */

std::vector<uint8_t> changes_of(const Vectors &now, const Vectors &before)
{
    seqrec_error error = {};
    std::vector<uint8_t> changes(static_cast<size_t>(now.info.slots));
    check(seqrec_vectors_compare(now.at, before.at, 0, now.info.slots, changes.data(), &error), error);
    return changes;
}

std::unique_ptr<Graph> update(const Graph &old, const Vectors &now, const Vectors &before)
{
    if (now.info.slots < before.info.slots)
        refuse(SEQREC_E_STATE, "the model has fewer slots than the graph was built of: build one of now");
    const std::vector<uint8_t> changes = changes_of(now, before);
    size_t more = 0;
    for (const uint8_t change : changes) more += change == 1;
    std::unique_ptr<Graph> graph(new Graph(old, more));
    std::vector<float> row(now.width());
    for (size_t slot = 0; slot < changes.size(); slot++)
        if (changes[slot] == 2) graph->remove(slot);
    for (size_t slot = 0; slot < changes.size(); slot++) {
        if (changes[slot] != 1) continue;
        now.read(static_cast<int64_t>(slot), 1, row.data(), nullptr);
        graph->insert(row.data(), slot);
    }
    if (graph->elements() == graph->removed()) refuse(SEQREC_E_STATE, "nothing of what the graph knows is left: build one of now");
    graph->settle();
    return graph;
}

/* ---- as an index ----------------------------------------------------------------------------------------------------- */

int32_t search(void *context, const float *query, int64_t want, int32_t *slots, int64_t *found) noexcept
{
    const seqrec_ann *ann = static_cast<const seqrec_ann *>(context);
    return guarded(nullptr, [&] { *found = ann->graph->nearest(query, want, slots); });
}

void release(void *context) noexcept
{
    seqrec_ann_release(static_cast<seqrec_ann *>(context));
}

}

/* ---- exported -------------------------------------------------------------------------------------------------------- */

extern "C" {

int32_t seqrec_ann_version(void)
{
    return SEQREC_VERSION_NUMBER;
}

int32_t seqrec_ann_build(const seqrec_model *model, const seqrec_ann_options *options, seqrec_ann **out, seqrec_error *error)
{
    return guarded(error, [&] {
        must_be(model, "model");
        must_be(out, "out");
        const seqrec_ann_options o = read_options(options);
        check_options(o);
        std::unique_ptr<seqrec_ann> made(new seqrec_ann);
        made->vectors.reset(new Vectors(model));
        const size_t width = made->vectors->width();
        const Shape shape = {width, (width + 15) / 16 * 16, static_cast<size_t>(o.links), static_cast<size_t>(o.build_breadth), o.seed};
        made->graph = build(*made->vectors, shape, o.threads);
        made->search_breadth = o.search_breadth;
        *out = made.release();
    });
}

int32_t seqrec_ann_update(const seqrec_ann *ann, const seqrec_model *model, seqrec_ann **out, seqrec_error *error)
{
    return guarded(error, [&] {
        must_be(ann, "ann");
        must_be(model, "model");
        must_be(out, "out");
        std::unique_ptr<seqrec_ann> made(new seqrec_ann);
        made->vectors.reset(new Vectors(model));
        made->graph = update(*ann->graph, *made->vectors, *ann->vectors);
        made->search_breadth = ann->search_breadth;
        *out = made.release();
    });
}

int32_t seqrec_ann_attach(seqrec_ann *ann, seqrec_model *model, seqrec_error *error)
{
    return guarded(error, [&] {
        seqrec_error failed = {};
        must_be(ann, "ann");
        must_be(model, "model");
        seqrec_index index = {};
        index.struct_size = sizeof index;
        index.context = seqrec_ann_retain(ann);
        index.breadth = ann->search_breadth;
        index.search = search;
        index.release = release;
        const int32_t status = seqrec_model_set_index(model, ann->vectors->at, &index, &failed);
        if (status != SEQREC_OK) seqrec_ann_release(ann);
        check(status, failed);
    });
}

seqrec_ann *seqrec_ann_retain(seqrec_ann *ann)
{
    if (ann != nullptr) ann->references.fetch_add(1, std::memory_order_relaxed);
    return ann;
}

void seqrec_ann_release(seqrec_ann *ann)
{
    if (ann != nullptr && ann->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete ann;
}

int32_t seqrec_ann_describe(const seqrec_ann *ann, seqrec_ann_info *out, seqrec_error *error)
{
    return guarded(error, [&] {
        const size_t first = offsetof(seqrec_ann_info, bytes) + sizeof out->bytes;
        must_be(ann, "ann");
        must_be(out, "out");
        const size_t given = out->struct_size;
        if (given < first) refuse(SEQREC_E_ARGUMENT, "info.struct_size is %zu; it is at least %zu", given, first);
        const Graph &g = *ann->graph;
        seqrec_ann_info info = {};
        info.items = static_cast<int64_t>(g.elements() - g.removed());
        info.removed = static_cast<int64_t>(g.removed());
        info.links = static_cast<int64_t>(g.shape().links);
        info.build_breadth = static_cast<int64_t>(g.shape().build_breadth);
        info.search_breadth = ann->search_breadth;
        info.bytes = g.bytes();
        info.struct_size = given;
        std::memcpy(out, &info, given < sizeof info ? given : sizeof info);
    });
}

int32_t seqrec_ann_save(const seqrec_ann *ann, const char *path, seqrec_error *error)
{
    return guarded(error, [&] {
        must_be(ann, "ann");
        must_be(path, "path");
        write_graph(path, *ann->graph, ann->vectors->sum(), ann->search_breadth);
    });
}

int32_t seqrec_ann_load(const seqrec_model *model, const char *path, int64_t search_breadth, seqrec_ann **out, seqrec_error *error)
{
    return guarded(error, [&] {
        must_be(model, "model");
        must_be(path, "path");
        must_be(out, "out");
        if (search_breadth != 0) check_breadth(search_breadth);
        std::unique_ptr<seqrec_ann> made(new seqrec_ann);
        made->vectors.reset(new Vectors(model));
        const Table table = {made->vectors->width(), static_cast<size_t>(made->vectors->info.slots), made->vectors->sum()};
        made->graph = read_graph(path, table, &made->search_breadth);
        if (search_breadth != 0) made->search_breadth = search_breadth;
        *out = made.release();
    });
}

}
