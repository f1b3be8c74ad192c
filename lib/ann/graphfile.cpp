/* ann: reading and writing graphs. */
#include "graphfile.hpp"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include "failure.hpp"
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sq_ann {

namespace {

/* The bytes of a file in the order of the machine, which `order` tells. Behind it: elements as hnswlib has them in memory (links of the
 * lowest layer, vector, slot), the level of each as an int32, and the upper lists of those that have some. */
struct Header {
    char magic[8];
    uint32_t version, order;
    uint64_t width, links, build_breadth, search_breadth, seed;
    uint64_t table_sum;
    uint64_t elements, upper_bytes;
    int32_t top;
    uint32_t entry;
    uint64_t body_sum;
    uint64_t header_sum; /* of all before it */
};

static_assert(sizeof(Header) == 104, "a header has no gaps");

const char magic[8] = {'S', 'Q', 'A', 'N', 'N', '\r', '\n', 26};
const uint32_t version = 1, order = 0x01020304;

uint64_t sum_of(const Header &h)
{
    return XXH3_64bits(&h, offsetof(Header, header_sum));
}

struct Summing {
    XXH3_state_t state;
    Summing() { XXH3_64bits_reset(&state); }
    void add(const void *bytes, size_t count) { XXH3_64bits_update(&state, bytes, count); }
    uint64_t value() const { return XXH3_64bits_digest(&state); }
};

/* ---- files ------------------------------------------------------------------------------------------------------------ */

struct File {
    int at = -1;
    ~File()
    {
        if (at >= 0) ::close(at);
    }
};

/* The path with links followed, and the permissions of the file there (-1: no file yet). */
struct Place {
    std::string path;
    int64_t mode = -1;

    explicit Place(const char *given) : path(given)
    {
        struct stat facts;
        if (path.empty()) refuse(SEQREC_E_ARGUMENT, "the path of a file to write is empty");
        if (::lstat(given, &facts) != 0) {
            if (errno != ENOENT) fail("cannot be written");
            return;
        }
        if (S_ISLNK(facts.st_mode)) follow(given, facts);
        if (!S_ISREG(facts.st_mode)) refuse(SEQREC_E_ARGUMENT, "%.100s: cannot be written: it is not a regular file", given);
        mode = facts.st_mode & 0777;
    }
    [[noreturn]] void fail(const char *what) const
    {
        const int reason = errno;
        refuse(SEQREC_E_IO, "%.100s: %s: %s", path.c_str(), what, std::strerror(reason));
    }
    /* Up to and with the last slash. */
    std::string folder() const { return path.substr(0, path.rfind('/') + 1); }

private:
    void follow(const char *given, struct stat &facts)
    {
        const std::unique_ptr<char, void (*)(void *)> target(::realpath(given, nullptr), std::free);
        if (!target || ::stat(target.get(), &facts) != 0) fail("the link cannot be followed");
        path = target.get();
    }
};

const int temporary_tries = 10000; /* names left behind by killed processes of the same number are passed over */

/* A file without a name in the folder of its place or, where the system has none such, under a temporary name; gone unless it was put
 * in place. */
struct Draft : File {
    const Place &place;
    std::string temporary;

    explicit Draft(const Place &where) : place(where) {}
    ~Draft()
    {
        if (!temporary.empty()) ::unlink(temporary.c_str());
    }
    void create()
    {
        create_nameless();
        if (at < 0) take_name();
        if (place.mode >= 0 && ::fchmod(at, static_cast<mode_t>(place.mode)) != 0) place.fail("its permissions cannot be kept");
    }
    void write(const void *bytes, size_t count)
    {
        const char *from = static_cast<const char *>(bytes);
        while (count > 0) {
            const ssize_t done = ::write(at, from, count);
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) place.fail("cannot be written");
            from += done;
            count -= static_cast<size_t>(done);
        }
    }
    void put_in_place()
    {
        const std::string name = place.folder();
        if (::fsync(at) != 0) place.fail("cannot be written");
        if (temporary.empty()) take_name();
        const int closed = at;
        at = -1;
        if (::close(closed) != 0 || ::rename(temporary.c_str(), place.path.c_str()) != 0) place.fail("cannot be written");
        temporary.clear();
        File folder;
        folder.at = ::open(name.empty() ? "." : name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder.at >= 0) (void)::fsync(folder.at);
    }

private:
    std::string link() const { return "/proc/self/fd/" + std::to_string(at); }
    void create_nameless()
    {
#ifdef O_TMPFILE
        const std::string name = place.folder();
        at = ::open(name.empty() ? "." : name.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
        if (at < 0 || ::access(link().c_str(), F_OK) == 0) return;
        ::close(at);
        at = -1;
#endif
    }
    /* The first free one: for the file without a name, or else for a new one. */
    void take_name()
    {
        const std::string stem = place.folder() + ".seqrec-" + std::to_string(::getpid()) + "-";
        int result = -1;
        errno = EEXIST;
        for (int i = 0; i < temporary_tries && result < 0 && (errno == EEXIST || errno == EINTR); i++) {
            std::string name = stem + std::to_string(i) + ".tmp";
            if (at >= 0)
                result = ::linkat(AT_FDCWD, link().c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW);
            else
                result = at = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
            if (result >= 0) temporary.swap(name);
        }
        if (result < 0) place.fail("cannot be created");
    }
};

struct Source : File {
    const char *path;
    uint64_t size = 0;

    explicit Source(const char *place) : path(place)
    {
        struct stat facts;
        at = ::open(place, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe would wait for somebody who writes */
        if (at < 0 && (errno == ENOENT || errno == ENOTDIR)) refuse(SEQREC_E_NOT_FOUND, "%.100s: there is no such file", place);
        if (at < 0 || ::fstat(at, &facts) != 0) refuse(SEQREC_E_IO, "%.100s: %s", place, std::strerror(errno));
        if (!S_ISREG(facts.st_mode)) refuse(SEQREC_E_IO, "%.100s: not a file", place);
        size = static_cast<uint64_t>(facts.st_size);
    }
    void read(void *bytes, size_t count)
    {
        char *to = static_cast<char *>(bytes);
        while (count > 0) {
            const ssize_t done = ::read(at, to, count);
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) refuse(SEQREC_E_IO, "%.100s: %s", path, std::strerror(errno));
            if (done == 0) refuse(SEQREC_E_FORMAT, "%.100s: became shorter while it was read", path);
            to += done;
            count -= static_cast<size_t>(done);
        }
    }
    [[noreturn]] void wrong(const char *what) { refuse(SEQREC_E_FORMAT, "%.100s: %s", path, what); }
};

/* ---- the header ------------------------------------------------------------------------------------------------------- */

size_t element_bytes(const Header &h)
{
    return 4 + 4 * 2 * h.links + (h.width + 15) / 16 * 16 * 4 + 8;
}

void check_header(Source &in, const Header &h)
{
    if (std::memcmp(h.magic, magic, sizeof magic) != 0) in.wrong("not a graph of libseqrec-ann");
    if (h.order != order) in.wrong("written on a machine of the other byte order");
    if (h.version != version)
        refuse(SEQREC_E_UNSUPPORTED, "%.100s: version %u of the format; this build reads version %u", in.path, h.version, version);
    if (sum_of(h) != h.header_sum) in.wrong("the header (bytes 0 to 103) is not what was written");
    if (h.links < 2 || h.links > Graph::most_links || h.width < 1 || h.width > 65537 || h.build_breadth < h.links ||
        h.build_breadth > 10000 || h.search_breadth < 1 || h.search_breadth > 65536)
        in.wrong("the header has options out of range");
    if (h.elements < 1 || h.elements > INT32_MAX || h.top < 0 || h.top > Graph::most_levels || h.upper_bytes > in.size)
        in.wrong("the header has sizes out of range");
    if (in.size - sizeof h != h.elements * (element_bytes(h) + 4) + h.upper_bytes) in.wrong("shorter or longer than its header says");
}

void check_table(Source &in, const Header &h, const Table &table)
{
    if (h.width != table.width)
        refuse(SEQREC_E_STATE, "%.100s: of vectors of %llu floats; the model's have %zu", in.path,
               static_cast<unsigned long long>(h.width), table.width);
    if (h.table_sum != table.sum)
        refuse(SEQREC_E_STATE, "%.100s: built of other items than the model has (sum %016llx, not %016llx)", in.path,
               static_cast<unsigned long long>(h.table_sum), static_cast<unsigned long long>(table.sum));
}

/* ---- the body --------------------------------------------------------------------------------------------------------- */

void read_body(Source &in, const Header &h, Graph &graph)
{
    Summing sum;
    std::vector<int32_t> levels(h.elements);
    uint64_t upper = 0;
    in.read(graph.base(), h.elements * graph.element_bytes());
    sum.add(graph.base(), h.elements * graph.element_bytes());
    in.read(levels.data(), levels.size() * sizeof levels[0]);
    sum.add(levels.data(), levels.size() * sizeof levels[0]);
    for (const int32_t level : levels) {
        if (level < 0 || level > h.top) in.wrong("a level is out of range");
        upper += static_cast<uint64_t>(level) * (4 + 4 * h.links);
    }
    if (upper != h.upper_bytes) in.wrong("the levels do not agree with the header");
    for (const int32_t level : levels) {
        char *lists = graph.take_element(level);
        const size_t bytes = static_cast<size_t>(level) * (4 + 4 * h.links);
        if (bytes == 0) continue;
        in.read(lists, bytes);
        sum.add(lists, bytes);
    }
    if (sum.value() != h.body_sum) in.wrong("vectors or links (bytes from 104 on) are not what was written");
}

}

void write_graph(const char *path, const Graph &graph, uint64_t table_sum, int64_t search_breadth)
{
    const Shape &s = graph.shape();
    const size_t n = graph.elements();
    Header h = {};
    std::vector<int32_t> levels(n);
    Summing sum;
    std::memcpy(h.magic, magic, sizeof magic);
    h.version = version;
    h.order = order;
    h.width = s.width;
    h.links = s.links;
    h.build_breadth = s.build_breadth;
    h.search_breadth = static_cast<uint64_t>(search_breadth);
    h.seed = s.seed;
    h.table_sum = table_sum;
    h.elements = n;
    h.top = graph.top();
    h.entry = graph.entry();
    for (size_t i = 0; i < n; i++) {
        levels[i] = static_cast<int32_t>(graph.upper_bytes(i) / (4 + 4 * s.links));
        h.upper_bytes += graph.upper_bytes(i);
    }
    sum.add(graph.base(), n * graph.element_bytes());
    sum.add(levels.data(), n * sizeof levels[0]);
    for (size_t i = 0; i < n; i++) sum.add(graph.upper(i), graph.upper_bytes(i));
    h.body_sum = sum.value();
    h.header_sum = sum_of(h);
    const Place place(path);
    Draft out(place);
    out.create();
    out.write(&h, sizeof h);
    out.write(graph.base(), n * graph.element_bytes());
    out.write(levels.data(), n * sizeof levels[0]);
    for (size_t i = 0; i < n; i++) out.write(graph.upper(i), graph.upper_bytes(i));
    out.put_in_place();
}

std::unique_ptr<Graph> read_graph(const char *path, const Table &table, int64_t *search_breadth)
{
    Source in(path);
    Header h;
    if (in.size < sizeof h) in.wrong("too short for a graph, whose header is bytes 0 to 103");
    in.read(&h, sizeof h);
    check_header(in, h);
    check_table(in, h, table);
    const Shape shape = {h.width, (h.width + 15) / 16 * 16, h.links, h.build_breadth, h.seed};
    std::unique_ptr<Graph> graph(new Graph(shape, h.elements, 0));
    read_body(in, h, *graph);
    const char *fault = graph->adopt(h.entry, h.top, table.slots);
    if (fault != nullptr) in.wrong(fault);
    *search_breadth = static_cast<int64_t>(h.search_breadth);
    return graph;
}

}
