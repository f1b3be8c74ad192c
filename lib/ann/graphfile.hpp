/* ann: a graph in a file: a header with its own sum, and behind it vectors and links with theirs. */
#ifndef SQ_ANN_GRAPHFILE_HPP
#define SQ_ANN_GRAPHFILE_HPP
#include "graph.hpp"

namespace sq_ann {

/* What a graph must fit. */
struct Table {
    size_t width, slots;
    uint64_t sum; /* seqrec_vectors_checksum */
};

/* Both throw a Failure. A file that is written takes its place at once, or not at all. */
void write_graph(const char *path, const Graph &graph, uint64_t table_sum, int64_t search_breadth);
std::unique_ptr<Graph> read_graph(const char *path, const Table &table, int64_t *search_breadth);

}
#endif
